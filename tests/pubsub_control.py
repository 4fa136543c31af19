"""A client of the control endpoint, for tests and soak runs."""

from dataclasses import dataclass

import requests
from pydantic import TypeAdapter

from infra.local.pubsub_server.faults import Rule

_TIMEOUT = 10.0
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
        answer = requests.request(method, f"{self._url}/control/{what}", json=body, timeout=_TIMEOUT)
        answer.raise_for_status()
        return answer.content
