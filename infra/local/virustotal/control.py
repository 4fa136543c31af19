"""The control endpoint: scripts the simulator and says what it saw; needs no key."""

import bz2
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from infra.local.virustotal import faults
from infra.local.virustotal.clock import ClockSetting
from infra.local.virustotal.faults import Rule
from infra.local.virustotal.feeds import find_feed, parse_package_name
from infra.local.virustotal.simulator import Modes, Simulator
from infra.local.web import Answer, Request, Route, checked, json_answer, route

_RULES = TypeAdapter(list[Rule])
_PACKAGE = r"/(?P<feed>[^/]+)/(?P<minute>[^/]+)"


class Keys(BaseModel):
    """The keys that the API accepts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: frozenset[str] = Field(min_length=1)


class Control:
    """Answers `/control/...`."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[Route]:
        """Return the routes of the control endpoint."""
        handlers: list[tuple[str, str, Callable[..., Answer]]] = [
            ("GET", "/control/faults", self.read_faults),
            ("PUT", "/control/faults", self.write_faults),
            ("DELETE", "/control/faults", self.clear_faults),
            ("GET", "/control/stats", self.read_stats),
            ("GET", "/control/clock", self.read_clock),
            ("PUT", "/control/clock", self.write_clock),
            ("PUT", "/control/key", self.write_keys),
            ("GET", "/control/modes", self.read_modes),
            ("PUT", "/control/modes", self.write_modes),
            ("POST", "/control/reset", self.reset),
            ("PUT", f"/control/package{_PACKAGE}", self.give_package),
            ("DELETE", f"/control/package{_PACKAGE}", self.take_package),
            ("GET", f"/control/truth{_PACKAGE}", self.read_truth),
        ]
        return [route(method, pattern, checked(handle)) for method, pattern, handle in handlers]

    def read_faults(self, _: Request) -> Answer:
        """Return the rules in force."""
        return json_answer(200, [rule.model_dump(exclude_defaults=True) for rule in self._simulator.faults.rules])

    def write_faults(self, request: Request) -> Answer:
        """Put these rules in force instead of all others."""
        self._simulator.faults.replace(_RULES.validate_json(request.body))
        return self.read_faults(request)

    def clear_faults(self, request: Request) -> Answer:
        """End all rules."""
        self._simulator.faults.replace(())
        return self.read_faults(request)

    def read_stats(self, _: Request) -> Answer:
        """Return what was seen since the start or the last reset."""
        report = self._simulator.stats.report()
        return json_answer(200, report.model_dump() | {"download_count": report.download_count})

    def read_clock(self, _: Request) -> Answer:
        """Return the simulator's time and how it is set."""
        clock = self._simulator.clock
        return json_answer(200, clock.setting.model_dump(mode="json") | {"now": clock.now().isoformat()})

    def write_clock(self, request: Request) -> Answer:
        """Set the clock: an offset in seconds, or a fixed moment."""
        self._simulator.clock.setting = ClockSetting.model_validate_json(request.body)
        return self.read_clock(request)

    def write_keys(self, request: Request) -> Answer:
        """Accept these keys and no others."""
        self._simulator.keys = Keys.model_validate_json(request.body).keys
        return json_answer(200, {})

    def read_modes(self, _: Request) -> Answer:
        """Return the switches."""
        return json_answer(200, self._simulator.modes.model_dump())

    def write_modes(self, request: Request) -> Answer:
        """Set the switches."""
        self._simulator.modes = Modes.model_validate_json(request.body)
        return self.read_modes(request)

    def reset(self, _: Request) -> Answer:
        """Come back to the state at the start."""
        self._simulator.reset()
        return json_answer(200, {})

    def give_package(self, request: Request, feed: str, minute: str) -> Answer:
        """Serve exactly these bytes for a minute; body faults leave them alone."""
        self._simulator.given[_coordinates(feed, minute)] = request.body
        return json_answer(200, {"bytes": len(request.body)})

    def take_package(self, _: Request, feed: str, minute: str) -> Answer:
        """Serve the generated package of a minute again."""
        self._simulator.given.pop(_coordinates(feed, minute), None)
        return json_answer(200, {})

    def read_truth(self, request: Request, feed: str, minute: str) -> Answer:
        """Return the decompressed lines of a minute as the next fetch would get them, firing no fault.

        With `?faults=none` the lines are those of a good day.
        """
        feed, minute = _coordinates(feed, minute)
        given = self._simulator.given.get((feed, minute))
        if given is not None:
            return _text(_decompressed(given))
        due = () if request.query.get("faults") == "none" else self._due(feed, minute)
        return _text(self._simulator.text(feed, minute, due))

    def _due(self, feed: str, minute: str) -> tuple[Rule, ...]:
        return tuple(self._simulator.faults.peek(faults.BODIES, feed, minute))


def _coordinates(feed: str, minute: str) -> tuple[str, str]:
    found = find_feed(feed)
    if found is None or parse_package_name(minute) is None:
        raise ValueError(f"{feed}/{minute} is not a known feed and a minute written YYYYMMDDhhmm")
    return found, minute


def _decompressed(body: bytes) -> bytes:
    try:
        return bz2.decompress(body)
    except (OSError, ValueError) as error:
        raise ValueError(f"the bytes given for this minute are no bzip2: {error}") from None


def _text(lines: bytes) -> Answer:
    return Answer(200, lines, {"Content-Type": "application/x-ndjson"})
