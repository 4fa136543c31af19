"""`gti-mesh status`: is anything missing, how fresh is the rest, and is anything in need of a person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TypeVar

from rich.console import Console
from rich.table import Table

from services.console.dead import Death, open_deaths, remedy
from services.console.feeds import FeedStatus, read_feeds
from services.console.mesh import Mesh
from services.console.stream_log import StreamLog, StreamReaders
from services.console.streams import StreamStatus, stream_status


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
    streams: Sequence[StreamStatus] = ()

    def problems(self) -> list[str]:
        """Return what needs a person, a line each."""
        found = [problem for feed in self.feeds for problem in feed.problems()]
        found += [problem for stream in self.streams for problem in stream.problems()]
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
            "streams": {stream.stream: stream.report() for stream in self.streams},
            "subscriptions": [asdict(subscription) for subscription in self.subscriptions],
            "dead_letters": [asdict(death) for death in self.deaths],
        }

    def show(self, console: Console) -> None:
        """Print the status for a person."""
        console.print(_table(_FEED_ROWS, {feed.feed: feed for feed in self.feeds}))
        if self.streams:
            console.print(_table(_STREAM_ROWS, {stream.stream: stream for stream in self.streams}))
        for one in self.subscriptions:
            age = "" if one.oldest_unacked_seconds is None else f", the oldest for {one.oldest_unacked_seconds} s"
            console.print(f"{one.name}: {'?' if one.backlog is None else one.backlog} waiting{age} ({one.source})")
        console.print(f"{len(self.deaths)} dead letters need a person" if self.deaths else "no dead letters")
        for problem in self.problems():
            console.print(f"[red]{problem}[/]")
        console.print("[bold red]degraded[/]" if self.problems() else "[bold green]healthy[/]")


Shown = TypeVar("Shown")
Rows = Mapping[str, Callable[[Shown], str]]


def _table(rows: Rows[Shown], columns: Mapping[str, Shown]) -> Table:
    table = Table("", *columns)
    for title, value in rows.items():
        table.add_row(title, *(value(shown) for shown in columns.values()))
    return table


_FEED_ROWS: Rows[FeedStatus] = {
    "last due": lambda feed: _short(feed.last_due),
    "last merged": lambda feed: _short(feed.last_merged),
    "freshness": lambda feed: "never" if feed.freshness_minutes is None else f"{feed.freshness_minutes} min",
    "states, 24 h": lambda feed: _counts(feed.states_24h),
    "states, 7 d": lambda feed: _counts(feed.states_7d),
    "gaps": lambda feed: str(len(feed.gaps)),
    "rejected lines, 24 h": lambda feed: f"{feed.rejected_24h} of {feed.lines_24h}",
    "lines a minute": lambda feed: f"{feed.lines_per_minute:g}",
}
_STREAM_ROWS: Rows[StreamStatus] = {
    "newest notification": lambda stream: _short(stream.last_date),
    "last page landed": lambda stream: f"{_short(stream.last_landed)}, {stream.freshness_minutes} min ago",
    "pages, 7 d": lambda stream: _counts(stream.pages),
    "notifications, 7 d": lambda stream: str(stream.notifications),
    "delivered": lambda stream: str(stream.delivered),
    "waiting": lambda stream: str(stream.waiting),
    "given up": lambda stream: str(stream.given_up),
    "requests": lambda stream: str(stream.requests),
    "lease in hand": lambda stream: f"until {stream.held_until:%H:%M:%SZ}" if stream.held_until else "none",
}


def _short(moment: datetime | None) -> str:
    return f"{moment:%m-%d %H:%MZ}" if moment else "never"


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "nothing"


def read_status(mesh: Mesh, now: datetime) -> MeshStatus:
    """Read the status of the whole mesh: the ledger, the planner's state, the logs, and in the cloud its monitoring."""
    return mesh_status(mesh, read_feeds(mesh, now), StreamReaders(mesh.bucket).read(now), now)


def mesh_status(mesh: Mesh, feeds: Sequence[FeedStatus], logs: Sequence[StreamLog], now: datetime) -> MeshStatus:
    """Return the status of the whole mesh, whose feeds and streams have been read already."""
    deaths = open_deaths(mesh, now)
    streams = [stream_status(log, deaths, now) for log in logs]
    return MeshStatus(now, feeds, _subscriptions(mesh, feeds, streams), deaths, streams)


def _subscriptions(
    mesh: Mesh, feeds: Sequence[FeedStatus], streams: Sequence[StreamStatus]
) -> list[SubscriptionStatus]:
    if mesh.settings.pubsub_emulator:
        return _as_the_records_tell(feeds, streams)
    from services.console.monitoring import read_subscriptions

    return read_subscriptions(mesh.settings.project)


def _as_the_records_tell(feeds: Sequence[FeedStatus], streams: Sequence[StreamStatus]) -> list[SubscriptionStatus]:
    """Return what can be told of backlogs: minutes asked for and not landed, landed and not loaded, pages waiting."""
    waiting = {"downloader": "due", "loader": "landed"}
    found = [
        SubscriptionStatus(name, sum(feed.states_7d.get(state, 0) for feed in feeds), None, "ledger")
        for name, state in waiting.items()
    ]
    if streams:
        pages = sum(stream.pages.get("waiting", 0) for stream in streams)
        found.append(SubscriptionStatus("secops-import", pages, None, "log of pages"))
    return found
