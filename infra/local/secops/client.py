"""A client of the control endpoint, for tests and for the demo."""

from collections.abc import Mapping

from pydantic import TypeAdapter
from requests import Response

from infra.local.calling import call
from infra.local.secops.store import Kept, Report

_KEPT = TypeAdapter(list[Kept])


class SecOpsControl:
    """Scripts a running simulator and reads what it accepted."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def set_faults(self, *rules: Mapping[str, object]) -> None:
        """Put these faults in force instead of all others."""
        self._call("PUT", "faults", json=rules)

    def set_limits(self, **limits: float) -> None:
        """Set largest_request, burst_bytes and burst_seconds; what is not named comes back to its default."""
        self._call("PUT", "limits", json=limits)

    def stats(self) -> Report:
        """Return what was seen since the start or the last reset."""
        return Report.model_validate_json(self._call("GET", "stats").content)

    def keys(self, log_type: str) -> set[str]:
        """Return the notification id (or digest) of every log of a type."""
        return set(self._call("GET", f"keys/{log_type}").json())

    def logs(self, log_type: str) -> list[Kept]:
        """Return the newest logs of a type, oldest first."""
        return _KEPT.validate_json(self._call("GET", f"logs/{log_type}").content)

    def reset(self) -> None:
        """Bring faults, limits, counts and logs back to the start."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, *, json: object = None) -> Response:
        return call(method, f"{self._url}/control/{path}", json=json)
