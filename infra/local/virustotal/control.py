"""The control endpoint: scripts the simulator and reports requests; needs no key."""

import bz2

from pydantic import BaseModel, ConfigDict, Field

from infra.local.faults.routes import fault_routes
from infra.local.virustotal import faults
from infra.local.virustotal.clock import ClockSetting
from infra.local.virustotal.faults import Rule
from infra.local.virustotal.feeds import find_feed, parse_package_name
from infra.local.virustotal.simulator import Modes, Simulator
from infra.local.web import Answer, Request, Route, json_route

_PACKAGE = r"/(?P<feed>[^/]+)/(?P<minute>[^/]+)"


class Keys(BaseModel):
    """The keys that the API accepts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: frozenset[str] = Field(min_length=1)


class Control:
    """Handles `/control/...`; responses are JSON."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Return the routes of the control endpoint."""
        return [
            *fault_routes(self._simulator.faults, Rule),
            json_route("GET", "/control/stats", self.read_stats),
            json_route("GET", "/control/clock", self.read_clock),
            json_route("PUT", "/control/clock", self.write_clock),
            json_route("PUT", "/control/key", self.write_keys),
            json_route("GET", "/control/modes", self.read_modes),
            json_route("PUT", "/control/modes", self.write_modes),
            json_route("POST", "/control/reset", lambda _: self._simulator.reset()),
            json_route("PUT", f"/control/package{_PACKAGE}", self.give_package),
            json_route("DELETE", f"/control/package{_PACKAGE}", self.take_package),
            json_route("GET", f"/control/truth{_PACKAGE}", self.read_truth),
        ]

    def read_stats(self, _: Request) -> dict[str, object]:
        """Return the statistics since the start or the last reset."""
        report = self._simulator.stats.report()
        return report.model_dump() | {"download_count": report.download_count}

    def read_clock(self, _: Request) -> dict[str, object]:
        """Return the simulator's time and its setting."""
        clock = self._simulator.clock
        return clock.setting.model_dump(mode="json") | {"now": clock.now().isoformat()}

    def write_clock(self, request: Request) -> dict[str, object]:
        """Set the clock: an offset in seconds, or a fixed time."""
        self._simulator.clock.setting = ClockSetting.model_validate_json(request.body)
        return self.read_clock(request)

    def write_keys(self, request: Request) -> None:
        """Accept only these keys."""
        self._simulator.keys = Keys.model_validate_json(request.body).keys

    def read_modes(self, _: Request) -> dict[str, object]:
        """Return the modes."""
        return self._simulator.modes.model_dump()

    def write_modes(self, request: Request) -> dict[str, object]:
        """Set the modes."""
        self._simulator.modes = Modes.model_validate_json(request.body)
        return self.read_modes(request)

    def give_package(self, request: Request, feed: str, minute: str) -> dict[str, int]:
        """Serve these bytes for a minute; body faults do not apply."""
        self._simulator.given[_coordinates(feed, minute)] = request.body
        return {"bytes": len(request.body)}

    def take_package(self, _: Request, feed: str, minute: str) -> None:
        """Serve the generated package of a minute again."""
        self._simulator.given.pop(_coordinates(feed, minute), None)

    def read_truth(self, request: Request, feed: str, minute: str) -> Answer:
        """Return the decompressed lines that the next fetch of a minute would get; no fault fires.

        With `?faults=none` they are the lines without faults.
        """
        feed, minute = _coordinates(feed, minute)
        given = self._simulator.given.get((feed, minute))
        if given is not None:
            return _text(_decompressed(given))
        due = () if request.query.get("faults") == "none" else self._due(feed, minute)
        return _text(self._simulator.text(feed, minute, due))

    def _due(self, feed: str, minute: str) -> tuple[Rule, ...]:
        return tuple(self._simulator.faults.peek(faults.BODIES, feed=feed, minute=minute))


def _coordinates(feed: str, minute: str) -> tuple[str, str]:
    found = find_feed(feed)
    if found is None or parse_package_name(minute) is None:
        raise ValueError(f"{feed}/{minute} is not a known feed and a minute written YYYYMMDDhhmm")
    return found, minute


def _decompressed(body: bytes) -> bytes:
    try:
        return bz2.decompress(body)
    except (OSError, ValueError) as error:
        raise ValueError(f"the bytes set for this minute are not bzip2: {error}") from None


def _text(lines: bytes) -> Answer:
    return Answer(200, lines, {"Content-Type": "application/x-ndjson"})
