"""`gti-mesh status`: what is missing, how fresh each feed is, and what needs an operator."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from rich.console import Console
from rich.table import Table

from gti_mesh.parameters import AsJson, State, print_json
from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import MeshError
from shared.runtime.terminal import line, terminal

if TYPE_CHECKING:
    from shared.operations.feed_status import FeedStatus
    from shared.operations.status import MeshStatus
    from shared.operations.stream_status import StreamStatus

Shown = TypeVar("Shown")
Columns = Mapping[str, Callable[[Shown], str]]

# A reading in the cloud is billed.
_WATCH_SECONDS = 60.0
_WATCH_SECONDS_HERE = 5.0


def status(
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
    state: State = None,
    as_json: AsJson = False,
) -> None:
    """Show what is missing, how fresh each feed is, and what needs an operator; exit 1 if degraded."""
    from infra.find_mesh import find_mesh
    from shared.operations.status import read_status

    if watch and as_json:
        raise typer.BadParameter("use --watch or --json, not both")
    mesh = find_mesh(state)
    if watch:
        seconds = _WATCH_SECONDS_HERE if mesh.settings.bigquery_emulator else _WATCH_SECONDS
        watch_status(lambda: read_status(mesh, utc_now()), terminal(), pause=lambda: time.sleep(seconds))
        return
    found = read_status(mesh, utc_now())
    if as_json:
        print_json(found.report())
    else:
        show_status(found, terminal())
    raise typer.Exit(1 if found.problems() else 0)


def watch_status(read: "Callable[[], MeshStatus]", console: Console, *, pause: Callable[[], object]) -> None:
    """Print the status again after each pause, until Ctrl-C; if it cannot be read, report that and try again."""
    with suppress(KeyboardInterrupt):
        while True:
            # Read before the screen is cleared: it takes seconds.
            try:
                found = read()
            except MeshError as error:
                console.print(line(f"{utc_now():%H:%M:%SZ} {error}", "red"))
            else:
                console.clear()
                console.print(line(f"{found.at:%Y-%m-%d %H:%M:%SZ}, Ctrl-C ends"))
                show_status(found, console)
            pause()


def show_status(found: "MeshStatus", console: Console) -> None:
    """Print the status as text."""
    for columns in (_FEED_COLUMNS, _FEED_STATES, _FEED_VERSIONS):
        console.print(_table("feed", columns, {feed.feed: feed for feed in found.feeds}), "")
    for figures in (_STREAM_COLUMNS, _STREAM_FIGURES) if found.streams else ():
        console.print(_table("stream", figures, {stream.stream: stream for stream in found.streams}), "")
    for one in found.subscriptions:
        age = "" if one.oldest_unacked_seconds is None else f", the oldest for {one.oldest_unacked_seconds} s"
        backlog = "?" if one.backlog is None else one.backlog
        console.print(line(f"{one.name}: {backlog} waiting{age} ({one.source})"))
    console.print(
        f"{len(found.dead_letters)} dead letters need an operator" if found.dead_letters else "no dead letters"
    )
    if tidy := found.to_tidy_up():
        console.print(line(str(tidy)), soft_wrap=True)
    for problem in found.problems():
        # A command in it stays on one line for pasting, whatever the terminal's width.
        console.print(line(problem, "red"), soft_wrap=True)
    console.print(line("degraded", "bold red") if found.problems() else line("healthy", "bold green"))


def _table(kind: str, columns: Columns[Shown], rows: Mapping[str, Shown]) -> Table:
    """Return a table with a row for each name, which fits 80 columns without cutting a value."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(kind, no_wrap=True, overflow="fold")
    for title in columns:
        table.add_column(title, overflow="fold")
    for name, shown in rows.items():
        table.add_row(line(name), *(line(value(shown)) for value in columns.values()))
    return table


_FEED_COLUMNS: "Columns[FeedStatus]" = {
    "last due": lambda feed: _short(feed.last_due),
    "last merged": lambda feed: _short(feed.last_merged),
    "freshness": lambda feed: "never" if feed.freshness_minutes is None else f"{feed.freshness_minutes} min",
    "gaps": lambda feed: str(len(feed.gaps)),
    "rejected, 24 h": lambda feed: f"{feed.rejected_24h} of {feed.lines_24h}",
}
_FEED_STATES: "Columns[FeedStatus]" = {
    "states, 24 h": lambda feed: _counts(feed.states_24h),
    "states, 7 d": lambda feed: _counts(feed.states_7d),
    "lines/min": lambda feed: f"{feed.lines_per_minute:g}",
}
_FEED_VERSIONS: "Columns[FeedStatus]" = {
    "recent rows": lambda feed: f"{feed.versions.recent_rows:,}" if feed.versions else "?",
    "base rows": lambda feed: f"{feed.versions.base_rows:,}" if feed.versions else "?",
    "ratio": lambda feed: _percent(feed.versions.ratio if feed.versions else None),
    "last fold": lambda feed: _short(feed.versions.last_fold) if feed.versions else "?",
}
_STREAM_COLUMNS: "Columns[StreamStatus]" = {
    "newest item": lambda stream: _short(stream.last_date),
    "last page landed": lambda stream: _short(stream.last_landed) + _ago(stream.freshness_minutes),
    "pages, 7 d": lambda stream: _counts(stream.pages),
    "lease": lambda stream: f"until {stream.held_until:%H:%M:%SZ}" if stream.held_until else "none",
}
_STREAM_FIGURES: "Columns[StreamStatus]" = {
    "items, 7 d": lambda stream: str(stream.notifications),
    "delivered": lambda stream: str(stream.delivered),
    "waiting": lambda stream: str(stream.waiting),
    "given up": lambda stream: str(stream.given_up),
    "requests": lambda stream: str(stream.requests),
}


def _short(moment: datetime | None) -> str:
    return f"{moment:%m-%d %H:%MZ}" if moment else "never"


def _ago(minutes: int | None) -> str:
    return "" if minutes is None else f", {minutes} min ago"


def _percent(ratio: float | None) -> str:
    return "-" if ratio is None else f"{ratio:.1%}"


def _counts(states: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(states.items())) or "nothing"
