"""`gti-mesh status`: what is missing, how fresh each feed is, and what needs an operator."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property

from shared.contracts.dead_letters import SECOPS_LANDINGS
from shared.contracts.minutes import HORIZON
from shared.operations.coverage import Coverage, read_coverages
from shared.operations.feed_status import FeedStatus, feed_status
from shared.operations.health import POLL_OVERDUE
from shared.operations.letter_kinds import letter_kinds
from shared.operations.log_readers import LogReaders
from shared.operations.mesh import Mesh
from shared.operations.open_dead_letters import DeadLetterReader, DeadLetterRecord
from shared.operations.problems import Problem, readable
from shared.operations.stream_log import StreamLog
from shared.operations.stream_status import StreamStatus, stream_status
from shared.operations.subscriptions import SubscriptionStatus
from shared.operations.version_counts import VersionCountsReader


@dataclass(frozen=True)
class MeshStatus:
    """The current status of the whole mesh.

    `trouble` has what could not be read, and problems that belong to no single feed or stream. `resolved` counts the
    dead letters whose minute has arrived and that Pub/Sub still holds. `state` is the folder that commands have to name
    to find this mesh, or empty.
    """

    at: datetime
    feeds: Sequence[FeedStatus]
    subscriptions: Sequence[SubscriptionStatus]
    dead_letters: Sequence[DeadLetterRecord]
    streams: Sequence[StreamStatus] = ()
    trouble: Sequence[Problem] = ()
    state: str = ""
    resolved: int = 0

    def problems(self) -> list[str]:
        """Return what needs an operator, one line each."""
        return [str(problem.on(self.state)) for problem in self._problems()]

    def _problems(self) -> Iterator[Problem]:
        yield from self.trouble
        for feed in self.feeds:
            yield from feed.problems()
        for stream in self.streams:
            yield from stream.problems()
        for kind in letter_kinds(self.letters_without_gap):
            yield kind.problem()

    def to_tidy_up(self) -> Problem | None:
        """Return the step for dead letters whose minute has arrived, which are no problem of the data."""
        if not self.resolved:
            return None
        text = f"{self.resolved} dead letters are still in Pub/Sub although their minutes have come"
        return Problem(text, "gti-mesh dead discard --resolved").on(self.state)

    @cached_property
    def letters_without_gap(self) -> list[DeadLetterRecord]:
        """The dead letters that no gap covers, such as those without a minute.

        The others are closed when their minute arrives.
        """
        in_gaps = {
            (gap.feed, minute)
            for feed in self.feeds
            for gap in feed.gaps
            for minute in gap.period.between(gap.first, gap.last)
        }
        return [letter for letter in self.dead_letters if (letter.feed, letter.minute) not in in_gaps]

    def report(self) -> dict[str, object]:
        """Return the status for the JSON report."""
        return {
            "at": self.at,
            "healthy": not self.problems(),
            "problems": self.problems(),
            "feeds": {feed.feed: feed.report() for feed in self.feeds},
            "streams": {stream.stream: stream.report() for stream in self.streams},
            "subscriptions": [asdict(subscription) for subscription in self.subscriptions],
            "dead_letters": [letter.report() for letter in self.dead_letters],
            "resolved_dead_letters": self.resolved,
        }


def _monitored(mesh: Mesh) -> list[SubscriptionStatus]:
    from shared.operations.subscriptions import read_subscriptions

    return read_subscriptions(mesh.settings.project, prefix=mesh.settings.prefix)


class StatusReader:
    """Reads the mesh's status repeatedly; a later look reads only what can have changed. Not thread-safe."""

    def __init__(self, mesh: Mesh, monitored: Callable[[Mesh], list[SubscriptionStatus]] = _monitored) -> None:
        self._mesh = mesh
        self._monitored = monitored
        self._letters = DeadLetterReader(mesh)
        self._streams = LogReaders(mesh.bucket)
        self._versions = VersionCountsReader(mesh)

    def read(self, coverages: Sequence[Coverage], now: datetime) -> MeshStatus:
        """Return the status of the whole mesh from the coverages of its feeds and all other sources."""
        unhandled = self._letters.read(now)
        dead_letters = [letter for letter in unhandled if letter.open]
        feeds = [feed_status(coverage, now, self._versions.read(coverage.feed, now)) for coverage in coverages]
        logs = self._streams.read(now)
        streams = [stream_status(log, dead_letters, now) for log in logs]
        trouble = list(poll_problems(logs, now))
        subscriptions = readable(lambda: self._subscriptions(feeds, streams), trouble)
        resolved = len(unhandled) - len(dead_letters)
        return MeshStatus(
            now, feeds, subscriptions or (), dead_letters, streams, trouble, self._mesh.state, resolved=resolved
        )

    def _subscriptions(self, feeds: Sequence[FeedStatus], streams: Sequence[StreamStatus]) -> list[SubscriptionStatus]:
        # The emulators have no metrics.
        if self._mesh.settings.pubsub_emulator:
            return _as_the_records_tell(feeds, streams)
        return self._monitored(self._mesh)


def read_status(mesh: Mesh, now: datetime) -> MeshStatus:
    """Read the mesh's status: the ledger, the planner's state, the stream logs, and in the cloud Cloud Monitoring."""
    return StatusReader(mesh).read(read_coverages(mesh, mesh.settings.feed_definitions(), now), now)


def poll_problems(logs: Sequence[StreamLog], now: datetime) -> Iterator[Problem]:
    """Yield the problem of a poll that has stopped; a stream that is off is not polled while others are."""
    # Pages are written by the poll; hours land without it.
    landed = [log.newest.landed for log in logs if log.newest and log.unit == "page"]
    worked = [*landed, *(log.pass_began for log in logs if log.pass_began)]
    newest = max(worked, default=None)
    if newest and POLL_OVERDUE < now - newest < HORIZON and not any(log.source for log in logs):
        yield Problem(f"streams: no poll has ended since {newest:%Y-%m-%dT%H:%MZ}")


def _as_the_records_tell(feeds: Sequence[FeedStatus], streams: Sequence[StreamStatus]) -> list[SubscriptionStatus]:
    """Return backlogs derived from the ledger: minutes not landed, minutes not loaded, pages not delivered."""
    waiting = {"downloader": "due", "loader": "landed"}
    found = [
        SubscriptionStatus(name, sum(feed.states_7d.get(state, 0) for feed in feeds), None, "ledger")
        for name, state in waiting.items()
    ]
    if streams:
        units = {"secops-import": "page", SECOPS_LANDINGS: "hour"}
        for name, unit in units.items():
            pages = sum(stream.pages.get("waiting", 0) for stream in streams if stream.unit == unit)
            found.append(SubscriptionStatus(name, pages, None, "log of pages"))
    return found
