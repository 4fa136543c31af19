"""A client of the control endpoint, for tests and soak runs."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from infra.local.faults.client import FaultsControl

_BACKLOG = TypeAdapter(dict[str, "Waiting"])


@dataclass(frozen=True)
class Waiting:
    """The unacknowledged messages of a subscription."""

    messages: int
    oldest_seconds: float


class PubSubControl(FaultsControl):
    """Sets the faults of a running server."""

    def backlog(self) -> dict[str, Waiting]:
        """Return the waiting messages, by the full name of the subscription."""
        return _BACKLOG.validate_json(self._call("GET", "backlog").content)
