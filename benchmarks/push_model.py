"""A simulation of Pub/Sub pushing to Cloud Run: slow start, pauses after nacks, retries, and the limit of instances.

Documented: a push window that begins small, grows with acknowledgements and shrinks with nacks, up to 3,000
outstanding; a pause of 100 ms to 60 s after nacks, for the whole subscription (cloud.google.com/pubsub/docs/push); a
request without a free instance waits up to 10 s and then gets 429
(cloud.google.com/run/docs/about-instance-autoscaling). Not published is how fast window and pause change. Here they
double and halve, as in the embedded server; tests/contract/test_push_model.py compares the two.
"""

from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

import simpy

Steps = Generator[simpy.Event, Any, None]


@dataclass(frozen=True)
class Pace:
    """The number of pushes that may be outstanding, and the subscription's pause after nacks."""

    first_window: int = 5
    max_window: int = 3_000
    min_rest: float = 0.1
    max_rest: float = 60.0


@dataclass(frozen=True)
class Retry:
    """A subscription's retry policy, and its maximum number of deliveries."""

    least: float = 10.0
    most: float = 600.0
    attempts: int = 100

    def backoff(self, attempt: int) -> float:
        """Return the delay after a message's n-th failed delivery."""
        return float(min(self.most, self.least * 2.0 ** min(attempt - 1, 20)))


@dataclass
class Message:
    """A message and its result; after `expires` there is nothing left to fetch, and it is done at once."""

    name: str
    megabytes: float
    expires: float = float("inf")
    table: str = ""
    attempts: int = 0
    done: float | None = None
    expired: bool = False
    dead: bool = False


@dataclass(frozen=True)
class Service:
    """A Cloud Run service: its limits, and the time that it takes for a message."""

    instances: int
    concurrency: int
    start_seconds: float = 0.0
    queue_seconds: float = 10.0
    fixed_seconds: float = 0.0
    # Requests of one instance share it; None is work that happens elsewhere, as a load job does.
    megabytes_a_second: float | None = None
    seconds_a_megabyte: float = 0.0
    quantum: float = 100.0
    # Work on one table begins so many seconds apart in one instance, as services/loader/rate_limit.py has it.
    seconds_between: float = 0.0


class Running:
    """A service under load. Instances are started as requests come, and never stopped."""

    def __init__(self, env: simpy.Environment, service: Service) -> None:
        self._env = env
        self._service = service
        self._free: deque[simpy.Resource] = deque()
        self._waiting: deque[simpy.Event] = deque()
        self._next: dict[tuple[simpy.Resource, str], float] = {}
        self.instances = 0

    def answer(self, message: Message) -> Generator[simpy.Event, Any, bool]:
        """Serve one request; the process returns whether it was accepted."""
        processor = yield from self._place()
        if processor is None:
            return False
        if self._env.now > message.expires:
            message.expired = True
            self._leave(processor)
            return True
        yield self._env.timeout(self._until_its_moment(processor, message.table))
        yield self._env.timeout(self._service.fixed_seconds + message.megabytes * self._service.seconds_a_megabyte)
        yield from self._compute(processor, message.megabytes)
        self._leave(processor)
        return True

    def _place(self) -> Generator[simpy.Event, Any, simpy.Resource | None]:
        if not self._free and self.instances < self._service.instances:
            self.instances += 1
            yield self._env.timeout(self._service.start_seconds)
            processor = simpy.Resource(self._env)
            for _ in range(self._service.concurrency - 1):
                self._leave(processor)
            return processor
        if self._free:
            return self._free.popleft()
        turn = self._env.event()
        self._waiting.append(turn)
        yield turn | self._env.timeout(self._service.queue_seconds)
        if turn.triggered:
            given = turn.value
            assert isinstance(given, simpy.Resource)
            return given
        self._waiting.remove(turn)
        return None

    def _until_its_moment(self, processor: simpy.Resource, table: str) -> float:
        moment = max(self._env.now, self._next.get((processor, table), 0.0))
        self._next[processor, table] = moment + self._service.seconds_between
        return float(moment - self._env.now)

    def _leave(self, processor: simpy.Resource) -> None:
        if self._waiting:
            self._waiting.popleft().succeed(processor)
        else:
            self._free.append(processor)

    def _compute(self, processor: simpy.Resource, megabytes: float) -> Steps:
        rate, left = self._service.megabytes_a_second, megabytes
        while rate and left > 0:
            part = min(left, self._service.quantum)
            left -= part
            with processor.request() as turn:
                yield turn
                yield self._env.timeout(part / rate)


@dataclass
class Subscription:
    """A push subscription: due messages go out while the window allows, oldest first."""

    env: simpy.Environment
    running: Running
    pace: Pace = Pace()
    retry: Retry = Retry()
    on_done: Callable[[Message], None] = lambda _: None
    nacks: int = 0
    _due: list[tuple[float, int, Message]] = field(default_factory=list)
    _out: int = 0
    _number: int = 0
    _rest: float = 0.0
    _resting_until: float = 0.0

    def __post_init__(self) -> None:
        self._window = float(self.pace.first_window)
        self._bell = self.env.event()
        self.env.process(self._deliver())

    def publish(self, message: Message) -> None:
        """Add a message, which is due at once."""
        self._add(message, self.env.now)

    def _add(self, message: Message, due: float) -> None:
        self._number += 1
        heappush(self._due, (due, self._number, message))
        self._ring()

    def _ring(self) -> None:
        if not self._bell.triggered:
            self._bell.succeed()

    def _deliver(self) -> Steps:
        while True:
            while (wait := self._wait()) <= 0:
                _, _, message = heappop(self._due)
                self._out += 1
                self.env.process(self._push(message))
            self._bell = self.env.event()
            yield self._bell if wait == float("inf") else self._bell | self.env.timeout(wait)

    def _wait(self) -> float:
        """Return the seconds until a message may go out, or infinity when only an event can change that."""
        if not self._due or self._out >= int(self._window):
            return float("inf")
        return max(self._due[0][0], self._resting_until) - self.env.now

    def _push(self, message: Message) -> Steps:
        message.attempts += 1
        accepted = yield from self.running.answer(message)
        self._out -= 1
        if accepted:
            self._window = min(self._window + 1, self.pace.max_window)
            self._rest = self._rest / 2 if self._rest > self.pace.min_rest else 0.0
            message.done = self.env.now
            self.on_done(message)
        else:
            self._refused(message)
        self._ring()

    def _refused(self, message: Message) -> None:
        self.nacks += 1
        if self._resting_until <= self.env.now:
            # Concurrent requests count as one refusal.
            self._rest = min(max(2 * self._rest, self.pace.min_rest), self.pace.max_rest)
            self._resting_until = self.env.now + self._rest
            self._window = max(self._window / 2, min(self.pace.first_window, self.pace.max_window))
        if message.attempts >= self.retry.attempts:
            message.dead = True
        else:
            self._add(message, self.env.now + self.retry.backoff(message.attempts))
