"""A client of the control endpoint, for tests and soak runs."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from infra.local.calling import call
from infra.local.pubsub_server.faults import Rule

_BACKLOG = TypeAdapter(dict[str, "Waiting"])


@dataclass(frozen=True)
class Waiting:
    """What a subscription has not acknowledged."""

    messages: int
    oldest_seconds: float


class PubSubControl:
    """Scripts a running server."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def set_faults(self, *faults: Rule) -> None:
        """Put these faults in force instead of all others; without any, end them."""
        self._call("PUT", "faults", [fault.model_dump() for fault in faults])

    def backlog(self) -> dict[str, Waiting]:
        """Return what waits, by the full name of the subscription."""
        return _BACKLOG.validate_json(self._call("GET", "backlog"))

    def _call(self, method: str, what: str, body: object = None) -> bytes:
        return call(method, f"{self._url}/control/{what}", json=body).content
