"""Play a plan: the clock runs, the schedules call, things go wrong, and what died is started again."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import requests

from infra.local.process import PartFailed
from shared.minutes import ONE_MINUTE
from tests.soak.events import Events
from tests.soak.plan import Event
from tests.soak.trouble import End
from tests.soak.world import World

_POLL_SECONDS = 0.1
# The planner's clock has shown every minute after this share of the run; the rest is for bad days without new minutes.
_ALL_DUE = 0.9
# Schedules, compressed as the planner's clock is: seconds between two calls, path, and who is called (the twin too).
_SCHEDULES: tuple[tuple[float, str, tuple[str, ...]], ...] = (
    (1.0, "/", ("planner", "planner-2")),
    (12.0, "/sweep", ("planner", "planner-2")),
    (8.0, "/", ("merger", "merger-2")),
    (4.0, "/", ("secops-poll", "secops-poll-2")),
)


@dataclass
class Engine:
    """One run; what it counted is the report."""

    world: World
    say: Callable[[str], None]
    short_leases: bool = False
    pace: float = 1.0
    kills: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    ready: dict[str, list[float]] = field(default_factory=dict)
    unexpected: list[str] = field(default_factory=list)
    moved: float = 0.0
    _down: dict[str, float] = field(default_factory=dict)
    _armed: dict[str, set[str]] = field(default_factory=dict)
    _ends: list[tuple[float, str, End]] = field(default_factory=list)
    _called: dict[int, float] = field(default_factory=dict)

    def play(self, events: Sequence[Event], seconds: float) -> None:
        """Run for so long, and until every event has happened."""
        self._draw = random.Random(f"engine {self.world.seed}")  # noqa: S311
        actions, left, began = Events(self), list(events), time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds or left:
            self._run_schedules(min(elapsed / seconds / _ALL_DUE, 1.0))
            self.revive()
            self._end_what_is_over()
            if left and left[0].at <= elapsed:
                event = left.pop(0)
                self.say(f"{elapsed:6.1f} s  {event.what} {event.whom}")
                actions.do(event)
            else:
                time.sleep(_POLL_SECONDS)

    def _run_schedules(self, progress: float) -> None:
        world = self.world
        due = world.first + int(progress * world.size.minutes) * ONE_MINUTE - ONE_MINUTE
        world.show_planners(due, moved=self.moved)
        now = time.monotonic()
        for number, (every, path, services) in enumerate(_SCHEDULES):
            if now - self._called.get(number, 0.0) >= every * self.pace:
                self._called[number] = now
                # Cloud Scheduler calls at least once; at times two instances have the same to do at the same moment.
                twice = self._draw.random() < 0.3
                world.call_beside(*services[: 2 if twice else 1], path=path)
                self.faults["two at once"] += twice

    def kill(self, whom: str, kind: str, *, down: float = 0.0) -> None:
        """Kill a part, and start it again after a while."""
        if whom not in self.world.mesh.pids:
            return
        self.free(whom)
        self._disarm(whom)
        self.world.mesh.kill(whom)
        self._armed.pop(whom, None)
        self.kills[kind] += 1
        self._died(whom, down)

    def arm(self, service: str, place: str) -> None:
        """Have a service die at a place."""
        self.world.points_of(service).arm(place)
        self._armed.setdefault(service, set()).add(place)

    def during(self, whom: str, seconds: float, end: End) -> None:
        """End something after so many seconds."""
        self._ends.append((time.monotonic() + seconds, whom, end))

    def free(self, whom: str) -> None:
        """End what goes on with a part."""
        mine = [one for one in self._ends if one[1] == whom]
        self._ends = [one for one in self._ends if one[1] != whom]
        for _, _, end in mine:
            _finish(end)

    def release(self) -> None:
        """End everything that goes on."""
        for whom in {one[1] for one in self._ends}:
            self.free(whom)

    def revive(self) -> None:
        """Start again what has died at a fault point, and what was down for long enough."""
        for whom in self.world.mesh.ended():
            left = set(self.world.points_of(whom).disarm())
            reached = self._armed.pop(whom, set()) - left
            self.world.mesh.kill(whom)
            for place in reached:
                self.kills[f"{whom} {place}"] += 1
            if not reached:
                self.unexpected.append(f"{whom} ended by itself: see {self.world.mesh.log(whom)}")
            self._died(whom, 0.0)
        for whom in [name for name, until in self._down.items() if until <= time.monotonic()]:
            self._start(whom)

    def calm(self) -> None:
        """End everything that goes on, and have every part running."""
        self.release()
        for service in self.world.endpoints.services:
            self._disarm(service)
        deadline = time.monotonic() + 120
        self._down = dict.fromkeys(self._down, 0.0)
        while (self._down or self.world.mesh.ended()) and time.monotonic() < deadline:
            self.revive()

    def _died(self, whom: str, down: float) -> None:
        self._down[whom] = time.monotonic() + down
        if whom == "secops-import" and self.short_leases:
            # A dead importer's lease ends by itself after 150 s; who has less time lets the next one's clock run ahead.
            self.world.let_leases_end()

    def _start(self, whom: str) -> None:
        began, mesh = time.monotonic(), self.world.mesh
        try:
            mesh.start_part(whom)
        except PartFailed as error:
            self.unexpected.append(str(error))
            if whom in mesh.pids:
                mesh.kill(whom)
            return
        del self._down[whom]
        self.ready.setdefault(whom, []).append(time.monotonic() - began)
        if whom == "virustotal":
            self.world.spoil_source()

    def _disarm(self, service: str) -> None:
        """Take armings back; what was reached this very moment is a death that revive() has still to find."""
        left = set(self.world.points_of(service).disarm())
        self._armed[service] = self._armed.get(service, set()) - left

    def _end_what_is_over(self) -> None:
        over = [one for one in self._ends if one[0] <= time.monotonic()]
        self._ends = [one for one in self._ends if one not in over]
        for _, _, end in over:
            _finish(end)


def _finish(end: End) -> None:
    # What cannot be told that its bad day is over has died of another.
    with suppress(requests.RequestException, OSError):
        end()
