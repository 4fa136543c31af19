"""Run a plan: the clock runs, schedules call services, faults happen, and dead services are restarted."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import requests

from infra.local.process import ProcessFailed
from shared.contracts.minutes import ONE_MINUTE
from tests.soak.events import Events
from tests.soak.plan import Event
from tests.soak.resource_faults import End
from tests.soak.soak_mesh import SoakMesh

_POLL_SECONDS = 0.1
# The planner's clock has shown every minute after this share of the run; the rest is for bad days without new minutes.
_ALL_DUE = 0.9
_REPLAY_SECONDS = 2.0
# How much longer a run takes at most until every armed point is reached.
_LATE_SECONDS = 60.0
# Schedules, compressed as the planner's clock is: seconds between two calls, path, and who is called (the twin too).
_SCHEDULES: tuple[tuple[float, str, tuple[str, ...]], ...] = (
    (1.0, "/", ("planner", "planner-2")),
    (12.0, "/sweep", ("planner", "planner-2")),
    (10.0, "/dead-letters", ("planner", "planner-2")),
    (8.0, "/", ("merger", "merger-2")),
    (4.0, "/", ("secops-poll", "secops-poll-2")),
)


@dataclass
class Engine:
    """One run; its counts are the report."""

    soak_mesh: SoakMesh
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
    _asked: float = 0.0

    def play(self, events: Sequence[Event], seconds: float) -> None:
        """Run for a time, and until every event has happened and, on a slow machine, every armed point is reached."""
        self._draw = random.Random(f"engine {self.soak_mesh.seed}")  # noqa: S311
        actions, left, began = Events(self), list(events), time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds or left or self._awaits_deaths(elapsed - seconds):
            progress = min(elapsed / seconds / _ALL_DUE, 1.0)
            self._run_schedules(progress)
            self._replay_hours(progress)
            self.revive()
            self._end_what_is_over()
            if left and left[0].at <= elapsed:
                event = left.pop(0)
                self.say(f"{elapsed:6.1f} s  {event.what} {event.whom}")
                actions.do(event)
            else:
                time.sleep(_POLL_SECONDS)

    def _awaits_deaths(self, late: float) -> bool:
        return late < _LATE_SECONDS and any(self._armed.values())

    def _run_schedules(self, progress: float) -> None:
        soak_mesh = self.soak_mesh
        due = soak_mesh.first + int(progress * soak_mesh.size.minutes) * ONE_MINUTE - ONE_MINUTE
        soak_mesh.show_planners(due, moved=self.moved)
        now = time.monotonic()
        for number, (every, path, services) in enumerate(_SCHEDULES):
            if now - self._called.get(number, 0.0) >= every * self.pace:
                self._called[number] = now
                # Cloud Scheduler calls at least once; at times two instances have the same to do at the same moment.
                twice = self._draw.random() < 0.3
                soak_mesh.call_beside(*services[: 2 if twice else 1], path=path)
                self.faults["two at once"] += twice

    def _replay_hours(self, progress: float) -> None:
        """Replay past hours one by one; meanwhile fetch one again that may have landed."""
        soak_mesh, now = self.soak_mesh, time.monotonic()
        due = soak_mesh.past_hours[: int(progress * len(soak_mesh.past_hours)) + 1]
        if not due or now - self._asked < _REPLAY_SECONDS * self.pace:
            return
        self._asked = now
        left = [past for past in due if past not in soak_mesh.replayed]
        past = left[0] if left else self._draw.choice(due)
        # Another download of lists has other attributes; what has landed stays.
        self.faults["an hour fetched again"] += not left
        soak_mesh.replay_beside(past, force=not left)

    def kill(self, whom: str, kind: str, *, down: float = 0.0) -> None:
        """Kill a part, and restart it after a while."""
        if whom not in self.soak_mesh.mesh.pids:
            return
        self.free(whom)
        self._disarm(whom)
        self.soak_mesh.mesh.kill(whom)
        self._armed.pop(whom, None)
        self.kills[kind] += 1
        self._died(whom, down)

    def arm(self, service: str, place: str) -> None:
        """Kill a service at a fault point."""
        self.soak_mesh.points_of(service).arm(place)
        self._armed.setdefault(service, set()).add(place)

    def during(self, whom: str, seconds: float, end: End) -> None:
        """End a fault after a number of seconds."""
        self._ends.append((time.monotonic() + seconds, whom, end))

    def free(self, whom: str) -> None:
        """End the faults of a part."""
        mine = [one for one in self._ends if one[1] == whom]
        self._ends = [one for one in self._ends if one[1] != whom]
        for _, _, end in mine:
            _finish(end)

    def release(self) -> None:
        """End all faults."""
        for whom in {one[1] for one in self._ends}:
            self.free(whom)

    def revive(self) -> None:
        """Restart services that died at a fault point, and those that have been down for long enough."""
        for whom in self.soak_mesh.mesh.ended():
            left = set(self.soak_mesh.points_of(whom).disarm())
            reached = self._armed.pop(whom, set()) - left
            for place in left:
                self.arm(whom, place)
            self.soak_mesh.mesh.kill(whom)
            for place in reached:
                self.kills[f"{whom} {place}"] += 1
            if not reached:
                self.unexpected.append(f"{whom} ended by itself: see {self.soak_mesh.mesh.log(whom)}")
            self._died(whom, 0.0)
        for whom in [name for name, until in self._down.items() if until <= time.monotonic()]:
            self._start(whom)

    def calm(self) -> None:
        """End all faults, and start every part that is down."""
        self.release()
        for service in self.soak_mesh.endpoints.services:
            self._disarm(service)
        deadline = time.monotonic() + 120
        self._down = dict.fromkeys(self._down, 0.0)
        while (self._down or self.soak_mesh.mesh.ended()) and time.monotonic() < deadline:
            self.revive()

    def _died(self, whom: str, down: float) -> None:
        self._down[whom] = time.monotonic() + down
        if whom == "secops-import" and self.short_leases:
            # A dead importer's lease ends by itself after 150 s; who has less time lets the next one's clock run ahead.
            self.soak_mesh.let_leases_end()

    def _start(self, whom: str) -> None:
        began, mesh = time.monotonic(), self.soak_mesh.mesh
        try:
            mesh.start_part(whom)
        except ProcessFailed as error:
            self.unexpected.append(str(error))
            if whom in mesh.pids:
                mesh.kill(whom)
            return
        del self._down[whom]
        self.ready.setdefault(whom, []).append(time.monotonic() - began)
        if whom == "virustotal":
            self.soak_mesh.spoil_source()

    def _disarm(self, service: str) -> None:
        """Disarm all fault points; revive() finds a service that dies at this moment."""
        left = set(self.soak_mesh.points_of(service).disarm())
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
