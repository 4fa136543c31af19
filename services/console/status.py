"""`gti-mesh status`: is anything missing, how fresh is the rest, and is anything in need of a person."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from rich.console import Console
from rich.table import Table

from services.console.coverage import Coverage, Gap, describe, read_coverages
from services.console.dead import Death, open_deaths, remedy
from services.console.mesh import Mesh

# Availability (60 min), grace, two missed merges: beyond this a feed is stale.
_STALE_AFTER = timedelta(minutes=150)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
# The reference calls several missing packages in a row an error condition.
_MOST_ABSENT_IN_A_ROW = 5
# The share of lines above which a downloader refuses a package; a day near it deserves a look.
_MOST_REJECTED = 0.05


@dataclass(frozen=True)
class FeedStatus:
    """One feed at one moment; states are counted over 24 hours and over all that the source keeps (7 days)."""

    feed: str
    last_due: datetime | None
    last_merged: datetime | None
    freshness_minutes: int | None
    states_24h: Mapping[str, int]
    states_7d: Mapping[str, int]
    gaps: Sequence[Gap]
    lines_24h: int
    rejected_24h: int
    lines_per_minute: float
    absent_in_a_row: int

    def problems(self) -> Iterator[str]:
        """Yield what makes this feed degraded."""
        for gap in self.gaps:
            yield f"{describe(gap)}; {gap.remedy}"
        yield from self.conditions()

    def conditions(self) -> Iterator[str]:
        """Yield what is wrong with the feed as a whole."""
        if self.freshness_minutes is not None and self.freshness_minutes > _STALE_AFTER / timedelta(minutes=1):
            yield f"{self.feed} is stale: the newest merged minute is {self.freshness_minutes} minutes old"
        if self.absent_in_a_row > _MOST_ABSENT_IN_A_ROW:
            yield f"{self.feed}: the source had no package for {self.absent_in_a_row} minutes in a row"
        if self.rejected_24h > _MOST_REJECTED * self.lines_24h:
            yield f"{self.feed}: {self.rejected_24h} of {self.lines_24h} lines were rejected in 24 hours"

    def report(self) -> dict[str, object]:
        """Return the status as JSON has it."""
        gaps = [gap.report() for gap in self.gaps]
        return {**asdict(self), "gaps": gaps, "problems": list(self.problems())}


def feed_status(coverage: Coverage, now: datetime) -> FeedStatus:
    """Return the status of a feed from its coverage."""
    day = list(coverage.since(now - _DAY))
    hour = [cell for cell in coverage.cells if coverage.last_due and cell.minute > coverage.last_due - _HOUR]
    merged = coverage.last("merged")
    return FeedStatus(
        feed=coverage.feed,
        last_due=coverage.last_due,
        last_merged=merged,
        freshness_minutes=int((now - merged) / timedelta(minutes=1)) if merged else None,
        states_24h=dict(Counter(cell.state for cell in day)),
        states_7d=dict(Counter(cell.state for cell in coverage.cells)),
        gaps=tuple(coverage.gaps(now)),
        lines_24h=sum(cell.lines or 0 for cell in day),
        rejected_24h=sum(cell.rejected or 0 for cell in day),
        lines_per_minute=round(sum(cell.lines or 0 for cell in hour) / len(hour), 1) if hour else 0.0,
        absent_in_a_row=coverage.longest_absence(),
    )


@dataclass(frozen=True)
class SubscriptionStatus:
    """What waits in a subscription: messages, and the age of the oldest in seconds; None where nobody can tell."""

    name: str
    backlog: int | None
    oldest_unacked_seconds: int | None
    source: str


@dataclass(frozen=True)
class MeshStatus:
    """The whole mesh at one moment."""

    at: datetime
    feeds: Sequence[FeedStatus]
    subscriptions: Sequence[SubscriptionStatus]
    deaths: Sequence[Death]

    def problems(self) -> list[str]:
        """Return what needs a person, a line each."""
        found = [problem for feed in self.feeds for problem in feed.problems()]
        found += [f"dead letter {death.message_id}: {death.reason}; {remedy([death])}" for death in self.untold()]
        return found

    def untold(self) -> list[Death]:
        """Return the dead letters of which no gap tells, such as those without a minute."""
        gaps = [gap for feed in self.feeds for gap in feed.gaps]
        return [death for death in self.deaths if not any(gap.holds(death.feed, death.minute) for gap in gaps)]

    def report(self) -> dict[str, object]:
        """Return the status as JSON has it."""
        return {
            "at": self.at,
            "healthy": not self.problems(),
            "problems": self.problems(),
            "feeds": {feed.feed: feed.report() for feed in self.feeds},
            "subscriptions": [asdict(subscription) for subscription in self.subscriptions],
            "dead_letters": [asdict(death) for death in self.deaths],
        }

    def show(self, console: Console) -> None:
        """Print the status for a person."""
        table = Table("", *(feed.feed for feed in self.feeds))
        for title, value in _ROWS.items():
            table.add_row(title, *(value(feed) for feed in self.feeds))
        console.print(table)
        for one in self.subscriptions:
            age = "" if one.oldest_unacked_seconds is None else f", the oldest for {one.oldest_unacked_seconds} s"
            console.print(f"{one.name}: {'?' if one.backlog is None else one.backlog} waiting{age} ({one.source})")
        console.print(f"{len(self.deaths)} dead letters need a person" if self.deaths else "no dead letters")
        for problem in self.problems():
            console.print(f"[red]{problem}[/]")
        console.print("[bold red]degraded[/]" if self.problems() else "[bold green]healthy[/]")


_ROWS: Mapping[str, Callable[[FeedStatus], str]] = {
    "last due": lambda feed: _short(feed.last_due),
    "last merged": lambda feed: _short(feed.last_merged),
    "freshness": lambda feed: "never" if feed.freshness_minutes is None else f"{feed.freshness_minutes} min",
    "states, 24 h": lambda feed: _counts(feed.states_24h),
    "states, 7 d": lambda feed: _counts(feed.states_7d),
    "gaps": lambda feed: str(len(feed.gaps)),
    "rejected lines, 24 h": lambda feed: f"{feed.rejected_24h} of {feed.lines_24h}",
    "lines a minute": lambda feed: f"{feed.lines_per_minute:g}",
}


def _short(moment: datetime | None) -> str:
    return f"{moment:%m-%d %H:%MZ}" if moment else "never"


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "nothing"


def read_feeds(mesh: Mesh, now: datetime) -> list[FeedStatus]:
    """Read the status of every feed that is switched on."""
    coverages = read_coverages(mesh, mesh.settings.feed_definitions(), now)
    return [feed_status(coverage, now) for coverage in coverages]


def read_status(mesh: Mesh, now: datetime) -> MeshStatus:
    """Read the status of the whole mesh: the ledger, the planner's state, and in the cloud its monitoring."""
    return mesh_status(mesh, read_feeds(mesh, now), now)


def mesh_status(mesh: Mesh, feeds: Sequence[FeedStatus], now: datetime) -> MeshStatus:
    """Return the status of the whole mesh, whose feeds have been read already."""
    return MeshStatus(now, feeds, _subscriptions(mesh, feeds), open_deaths(mesh, now))


def _subscriptions(mesh: Mesh, feeds: Sequence[FeedStatus]) -> list[SubscriptionStatus]:
    if mesh.settings.pubsub_emulator:
        return _as_the_ledger_tells(feeds)
    from services.console.monitoring import read_subscriptions

    return read_subscriptions(mesh.settings.project)


def _as_the_ledger_tells(feeds: Sequence[FeedStatus]) -> list[SubscriptionStatus]:
    """Return what a ledger can tell of backlogs: minutes asked for and not landed, landed and not loaded."""
    waiting = {"downloader": "due", "loader": "landed"}
    return [
        SubscriptionStatus(name, sum(feed.states_7d.get(state, 0) for feed in feeds), None, "ledger")
        for name, state in waiting.items()
    ]
