"""A client of the fault control endpoint."""

from collections.abc import Mapping
from typing import Any, ClassVar

from requests import Response, Session

from infra.local.faults.rules import Rule

_TIMEOUT_SECONDS = 30.0

Fault = Rule | Mapping[str, object]


class FaultsControl:
    """Scripts the faults of a running simulator; a fault is a rule or its fields."""

    control_path: ClassVar[str] = "control"

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def set_faults(self, *rules: Fault) -> None:
        """Replace all faults."""
        self._call("PUT", "faults", json=[_written(rule) for rule in rules])

    def arm(self, *rules: Fault) -> None:
        """Append these faults."""
        self._call("POST", "faults", json=[_written(rule) for rule in rules])

    def disarm(self, **fields: object) -> None:
        """Delete the faults whose fields have these values."""
        self._call("DELETE", "faults", params={name: str(value) for name, value in fields.items()})

    def clear_faults(self) -> None:
        """Delete all faults."""
        self._call("DELETE", "faults")

    def faults(self) -> list[dict[str, object]]:
        """Return the active faults without default values, and how often each has `fired`."""
        rules: list[dict[str, object]] = self._call("GET", "faults").json()
        return rules

    def _call(self, method: str, path: str, **content: Any) -> Response:
        """Return the response; raise ValueError with the server's message if it refused."""
        url = f"{self._url}/{self.control_path}/{path}"
        with Session() as session:
            # A proxy of the environment cannot reach local ports.
            session.trust_env = False
            answer = session.request(method, url, timeout=_TIMEOUT_SECONDS, **content)
        if answer.status_code != 200:
            raise ValueError(f"{method} {url} was refused: {answer.text}")
        return answer


def _written(rule: Fault) -> dict[str, object]:
    return rule.model_dump(exclude_defaults=True) if isinstance(rule, Rule) else dict(rule)
