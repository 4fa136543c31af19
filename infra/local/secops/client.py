"""A client of the control endpoint, for tests and for the demo."""

from pydantic import TypeAdapter

from infra.local.faults.client import FaultsControl
from infra.local.secops.store import Kept, Report

_KEPT = TypeAdapter(list[Kept])


class SecOpsControl(FaultsControl):
    """Scripts a running simulator and reads the accepted logs."""

    def set_limits(self, **limits: float) -> None:
        """Set fields of infra.local.secops.api.Limits; the others get their defaults."""
        self._call("PUT", "limits", json=limits)

    def set_log_types(self, *log_types: str) -> None:
        """Set the existing log types; without any, Google's and all of the tenant's own."""
        self._call("PUT", "log_types", json={"log_types": log_types or None})

    def stats(self) -> Report:
        """Return the figures since the start or the last reset."""
        return Report.model_validate_json(self._call("GET", "stats").content)

    def keys(self, log_type: str) -> set[str]:
        """Return the notification id (or digest) of every log of a type."""
        return set(self._call("GET", f"keys/{log_type}").json())

    def logs(self, log_type: str) -> list[Kept]:
        """Return the newest logs of a type, oldest first."""
        return _KEPT.validate_json(self._call("GET", f"logs/{log_type}").content)

    def reset(self) -> None:
        """Reset faults, limits, counts and logs."""
        self._call("POST", "reset")
