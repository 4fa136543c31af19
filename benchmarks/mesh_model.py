"""A simulation of downloader, loader and merger under a volume and a backfill.

Limits and retries are those of infra/topology.yaml. Speeds states how long a package, a load job and a merge take: the
downloader's rate was measured (docs/performance.md), the others are assumptions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import simpy
from pydantic import BaseModel

from benchmarks.limits import DOWNLOAD_MEGABYTES_A_SECOND
from benchmarks.push_model import Message, Retry, Running, Service, Steps, Subscription
from benchmarks.volumes import LINES_A_DAY, MINUTES_A_DAY, minute_feeds, package_megabytes
from infra.topology import Subscription as Declared
from infra.topology import Topology, read_topology
from services.loader.settings import LoaderSettings
from services.merger.settings import MergerSettings
from shared.contracts.minutes import AVAILABILITY, GRACE, HORIZON

_MINUTE, _HOUR = 60.0, 3600.0
_HORIZON = HORIZON.total_seconds()
_LAG = (AVAILABILITY + GRACE).total_seconds()
# As services/merger/merge.py has it.
_MIN_MERGE = 20.0
# Merges begin at these minutes of the hour.
_MERGES = (5, 35)


@dataclass(frozen=True)
class Speeds:
    """Durations of the work."""

    download_megabytes_a_second: float = DOWNLOAD_MEGABYTES_A_SECOND
    download_fixed_seconds: float = 3.0
    start_seconds: float = 5.0
    load_fixed_seconds: float = 15.0
    load_seconds_a_megabyte: float = 0.02
    merge_fixed_seconds: float = 60.0
    merge_seconds_a_megabyte: float = 0.0001


@dataclass(frozen=True)
class Scenario:
    """A volume, a backfill, and the order in which its minutes are requested."""

    title: str
    volume: float = 1.0
    days_back: float = 0.0
    hourly: bool = False
    downloaders: int | None = None
    hours: float = 24.0


@dataclass
class Asked:
    """A feed minute in progress. Times are seconds from the start, when the backfill is requested."""

    feed: str
    minute: float
    backfill: bool
    download: Message
    load: Message
    merged: float | None = None


@dataclass(frozen=True)
class Result:
    """The result of a scenario."""

    scenario: Scenario
    minutes: int
    backfill_hours: float | None
    worst_freshness_hours: float
    expired: int
    refused: int
    max_attempts: int
    dead: int
    largest_merge_gigabytes: float


class Mesh:
    """Downloader, loader and merger under one scenario."""

    def __init__(self, scenario: Scenario, topology: Topology, speeds: Speeds) -> None:
        self.env = simpy.Environment()
        self._scenario = scenario
        self._speeds = speeds
        self.asked: list[Asked] = []
        self.staged: dict[str, list[Asked]] = {feed: [] for feed in minute_feeds()}
        self.largest_merge = 0.0
        self.downloads = self._subscription("downloader", topology, self._downloader(topology))
        self.loads = self._subscription("loader", topology, self._loader(topology))
        self.downloads.on_done = self._landed
        self.loads.on_done = self._loaded
        self._by_message: dict[int, Asked] = {}
        self.env.process(self._merge())

    def _subscription(self, name: str, topology: Topology, service: Service) -> Subscription:
        return Subscription(self.env, Running(self.env, service), retry=_retry(topology.subscriptions[name]))

    def _downloader(self, topology: Topology) -> Service:
        declared = topology.services["downloader"]
        return Service(
            instances=self._scenario.downloaders or declared.instances.max,
            concurrency=declared.concurrency,
            start_seconds=self._speeds.start_seconds,
            fixed_seconds=self._speeds.download_fixed_seconds,
            megabytes_a_second=self._speeds.download_megabytes_a_second,
        )

    def _loader(self, topology: Topology) -> Service:
        declared = topology.services["loader"]
        return Service(
            instances=declared.instances.max,
            concurrency=declared.concurrency,
            start_seconds=self._speeds.start_seconds,
            fixed_seconds=self._speeds.load_fixed_seconds,
            seconds_a_megabyte=self._speeds.load_seconds_a_megabyte,
            seconds_between=1 / _default(LoaderSettings, "jobs_per_second"),
        )

    def run(self) -> Result:
        """Request the backfill at once and each new minute when it is due, for the scenario's hours."""
        for feed, minute in backfill(self._scenario):
            self._ask(feed, minute, backfill=True)
        self.env.process(self._plan())
        self.env.run(until=self._scenario.hours * _HOUR)
        return self._result()

    def _plan(self) -> Steps:
        while True:
            for feed in minute_feeds():
                self._ask(feed, self.env.now - _LAG, backfill=False)
            yield self.env.timeout(_MINUTE)

    def _ask(self, feed: str, minute: float, *, backfill: bool) -> None:
        size = package_megabytes(self._scenario.volume)
        name = f"{feed} {minute:.0f}"
        one = Asked(feed, minute, backfill, Message(name, size, minute + _HORIZON), Message(name, size, table=feed))
        self.asked.append(one)
        self._by_message |= {id(one.download): one, id(one.load): one}
        self.downloads.publish(one.download)

    def _landed(self, message: Message) -> None:
        if not message.expired:
            self.loads.publish(self._by_message[id(message)].load)

    def _loaded(self, message: Message) -> None:
        one = self._by_message[id(message)]
        self.staged[one.feed].append(one)

    def _merge(self) -> Steps:
        while True:
            yield self.env.timeout(_until_merge(self.env.now))
            end = self.env.now + _default(MergerSettings, "deadline_seconds")
            for place, feed in enumerate(self.staged):
                turn = self.env.now + max(end - self.env.now, 0.0) / (len(self.staged) - place)
                yield from self._merge_feed(feed, turn)

    def _merge_feed(self, feed: str, turn: float) -> Steps:
        """Merge hours of one feed until a transaction has merged everything staged, or the turn is over."""
        longest, emptied = _MIN_MERGE, not self.staged[feed]
        while not emptied and self.env.now + longest <= turn:
            begin = self.env.now
            taken = self._oldest_hours(self.staged[feed])
            emptied = len(taken) == len(self.staged[feed])
            megabytes = sum(one.load.megabytes for one in taken)
            self.largest_merge = max(self.largest_merge, megabytes)
            speeds = self._speeds
            yield self.env.timeout(speeds.merge_fixed_seconds + megabytes * speeds.merge_seconds_a_megabyte)
            merged = set(map(id, taken))
            self.staged[feed] = [one for one in self.staged[feed] if id(one) not in merged]
            for one in taken:
                one.merged = self.env.now
            longest = max(longest, self.env.now - begin)

    def _oldest_hours(self, staged: Sequence[Asked]) -> list[Asked]:
        """Return whole hours, oldest first, up to a number of lines; always at least one hour."""
        left = _default(MergerSettings, "max_lines")
        taken: list[Asked] = []
        for _, found in groupby(sorted(staged, key=lambda one: one.minute), key=lambda one: one.minute // _HOUR):
            hour = list(found)
            left -= len(hour) * LINES_A_DAY / MINUTES_A_DAY * self._scenario.volume
            if taken and left < 0:
                break
            taken += hour
        return taken

    def _result(self) -> Result:
        back = [one for one in self.asked if one.backfill and not one.download.expired]
        new = [one for one in self.asked if not one.backfill]
        ends = [one.merged for one in back]
        return Result(
            scenario=self._scenario,
            minutes=sum(one.backfill for one in self.asked),
            backfill_hours=None if None in ends else max((end for end in ends if end), default=0.0) / _HOUR,
            # A minute that is not merged at the end is as old as it is then.
            worst_freshness_hours=max((one.merged or self.env.now) - one.minute for one in new) / _HOUR,
            expired=sum(one.download.expired for one in self.asked),
            refused=self.downloads.nacks + self.loads.nacks,
            max_attempts=max(max(one.download.attempts, one.load.attempts) for one in self.asked),
            dead=sum(one.download.dead or one.load.dead for one in self.asked),
            largest_merge_gigabytes=self.largest_merge / 1000,
        )


def backfill(scenario: Scenario) -> Iterator[tuple[str, float]]:
    """Yield feeds and minutes in the order of their requests, starting with the oldest that the source serves."""
    last, count = -_LAG, int(scenario.days_back * 24 * 60 - _LAG / _MINUTE)
    minutes = [last - _MINUTE * back for back in range(count, 0, -1)]
    step = 60 if scenario.hourly else max(1, len(minutes))
    for begin in range(0, len(minutes), step):
        for feed in minute_feeds():
            yield from ((feed, minute) for minute in minutes[begin : begin + step])


def _default(settings: type[BaseModel], name: str) -> float:
    return float(settings.model_fields[name].default)


def _retry(declared: Declared) -> Retry:
    assert declared.backoff
    assert declared.dead_letter
    return Retry(declared.backoff.minimum_seconds, declared.backoff.maximum_seconds, declared.dead_letter.max_attempts)


def _until_merge(now: float) -> float:
    at = now % _HOUR
    return min(wait for minute in _MERGES if (wait := (minute * _MINUTE - at) % _HOUR or _HOUR) > 0)


def simulate(scenario: Scenario, speeds: Speeds = Speeds()) -> Result:
    """Run one scenario on the declared topology."""
    return Mesh(scenario, read_topology(), speeds).run()
