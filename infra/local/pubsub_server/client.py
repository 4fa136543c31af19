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
        body = [fault.model_dump() for fault in faults]
        answer = requests.put(f"{self._url}/control/faults", json=body, timeout=_TIMEOUT)
        answer.raise_for_status()

    def backlog(self) -> dict[str, Waiting]:
        """Return what waits, by the full name of the subscription."""
        answer = requests.get(f"{self._url}/control/backlog", timeout=_TIMEOUT)
        answer.raise_for_status()
        return _BACKLOG.validate_json(answer.content)
