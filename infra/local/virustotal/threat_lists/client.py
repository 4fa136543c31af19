"""A client of the threat lists' control, for tests."""

from typing import ClassVar

from infra.local.faults.client import FaultsControl


class ThreatListsControl(FaultsControl):
    """Scripts the threat lists of a running simulator; hours are in the API's format."""

    control_path: ClassVar[str] = "control/threat_lists"

    def set_settings(self, **settings: object) -> None:
        """Set the settings, as ListSettings has them; what is not given has its default."""
        self._call("PUT", "settings", json=settings)

    def ids(self, name: str, hour: str) -> set[str]:
        """Return `<type>/<id>` of all indicators of a list in an hour, whatever the limit."""
        return set(self._call("GET", f"ids/{name}/{hour}").json())
