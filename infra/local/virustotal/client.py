"""A client of the control endpoint, for tests and for the demo."""

from collections.abc import Mapping
from datetime import datetime

from requests import Response

from infra.local.calling import call
from infra.local.virustotal.faults import Rule
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.stats import StatsReport

Fault = Rule | Mapping[str, object]
Moment = datetime | str


class SimulatorControl:
    """Scripts a running simulator; feeds and minutes are as the API names them, minutes also as datetimes."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def set_faults(self, *faults: Fault) -> None:
        """Put these faults in force instead of all others."""
        self._call("PUT", "faults", json=[_written(fault) for fault in faults])

    def faults(self) -> list[dict[str, object]]:
        """Return the faults in force, without what is at its default."""
        rules: list[dict[str, object]] = self._call("GET", "faults").json()
        return rules

    def clear_faults(self) -> None:
        """End all faults."""
        self._call("DELETE", "faults")

    def stats(self) -> StatsReport:
        """Return what the simulator saw since its start or the last reset."""
        return StatsReport.model_validate_json(self._call("GET", "stats").content)

    def now(self) -> datetime:
        """Return the simulator's time."""
        return datetime.fromisoformat(self._call("GET", "clock").json()["now"])

    def move_clock(self, seconds: float) -> None:
        """Let the clock run this many seconds beside the real one; 0 brings it back."""
        self._call("PUT", "clock", json={"offset": seconds})

    def stop_clock(self, moment: datetime) -> None:
        """Fix the clock at a moment."""
        self._call("PUT", "clock", json={"fixed": moment.isoformat()})

    def accept_keys(self, *keys: str) -> None:
        """Accept these API keys and no others."""
        self._call("PUT", "key", json={"keys": keys})

    def set_modes(self, *, direct: bool = False, ranges: bool = True) -> None:
        """Answer with the body instead of a redirect; serve byte ranges or not."""
        self._call("PUT", "modes", json={"direct": direct, "ranges": ranges})

    def give_package(self, feed: str, minute: Moment, body: bytes) -> None:
        """Serve exactly these bytes for a minute."""
        self._call("PUT", f"package/{feed}/{_name(minute)}", data=body)

    def take_package(self, feed: str, minute: Moment) -> None:
        """Serve the generated package of a minute again."""
        self._call("DELETE", f"package/{feed}/{_name(minute)}")

    def truth(self, feed: str, minute: Moment, *, faultless: bool = False) -> bytes:
        """Return the decompressed lines that the next fetch of a minute would get, or those of a good day."""
        query = "?faults=none" if faultless else ""
        return self._call("GET", f"truth/{feed}/{_name(minute)}{query}").content

    def reset(self) -> None:
        """Bring faults, statistics, clock, keys, modes and packages back to the start."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, *, json: object = None, data: bytes | None = None) -> Response:
        return call(method, f"{self._url}/control/{path}", json=json, data=data)


def _written(fault: Fault) -> dict[str, object]:
    return fault.model_dump(exclude_defaults=True) if isinstance(fault, Rule) else dict(fault)


def _name(minute: Moment) -> str:
    return package_name(minute) if isinstance(minute, datetime) else minute
