"""A client of the control endpoint, for tests and for the demo."""

from datetime import datetime

from infra.local.faults.client import FaultsControl
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.stats import StatsReport

Moment = datetime | str


class SimulatorControl(FaultsControl):
    """Scripts a running simulator; feeds and minutes are in the API's format, minutes also datetimes."""

    def stats(self) -> StatsReport:
        """Return the statistics since the start or the last reset."""
        return StatsReport.model_validate_json(self._call("GET", "stats").content)

    def now(self) -> datetime:
        """Return the simulator's time."""
        return datetime.fromisoformat(self._call("GET", "clock").json()["now"])

    def move_clock(self, seconds: float) -> None:
        """Set the clock's offset to the real time in seconds."""
        self._call("PUT", "clock", json={"offset": seconds})

    def stop_clock(self, moment: datetime) -> None:
        """Fix the clock at a moment."""
        self._call("PUT", "clock", json={"fixed": moment.isoformat()})

    def accept_keys(self, *keys: str) -> None:
        """Accept only these API keys."""
        self._call("PUT", "key", json={"keys": keys})

    def set_modes(self, *, direct: bool = False, ranges: bool = True, refuse_keys: bool = False) -> None:
        """Set modes: respond with the body, not a redirect; serve byte ranges; refuse keys at the download port."""
        self._call("PUT", "modes", json={"direct": direct, "ranges": ranges, "refuse_keys": refuse_keys})

    def give_package(self, feed: str, minute: Moment, body: bytes) -> None:
        """Serve these bytes for a minute."""
        self._call("PUT", f"package/{feed}/{_name(minute)}", data=body)

    def take_package(self, feed: str, minute: Moment) -> None:
        """Serve the generated package of a minute again."""
        self._call("DELETE", f"package/{feed}/{_name(minute)}")

    def truth(self, feed: str, minute: Moment, *, faultless: bool = False) -> bytes:
        """Return the decompressed lines of the next fetch of a minute, or those without faults."""
        query = "?faults=none" if faultless else ""
        return self._call("GET", f"truth/{feed}/{_name(minute)}{query}").content

    def reset(self) -> None:
        """Reset faults, statistics, clock, keys, modes and packages."""
        self._call("POST", "reset")


def _name(minute: Moment) -> str:
    return package_name(minute) if isinstance(minute, datetime) else minute
