"""Follow minutes to their end: a bar a stage, until every minute is merged, absent or dead."""

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.console.mesh import Mesh
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.outcomes import MeshError
from shared.warehouse.rendering import render

_POLL_SECONDS = 1.0
_EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Reached:
    """How many of the followed minutes have come how far; ended are absent or dead, and go no further."""

    due: int
    landed: int
    loaded: int
    merged: int
    ended: int

    @property
    def all_loaded(self) -> bool:
        """Whether nothing more will come until the next merge."""
        return self.loaded + self.ended >= self.due

    @property
    def done(self) -> bool:
        """Whether every minute has reached its end."""
        return self.merged + self.ended >= self.due


def reached(mesh: Mesh, feed: str, minutes: Collection[datetime], since: datetime = _EVER) -> Reached:
    """Look up how far minutes have come; only loads since a moment count, so that a replay can be followed."""
    bounds: dict[str, tuple[str, str | datetime]] = {
        "feed": ("STRING", feed),
        "first_minute": ("TIMESTAMP", min(minutes)),
        "last_minute": ("TIMESTAMP", max(minutes)),
        "since": ("TIMESTAMP", since),
    }
    with bigquery_errors():
        rows = run_query(mesh.warehouse, render("services.console/follow.sql", dataset=mesh.dataset), bounds)
    known = {row["minute"]: row for row in rows if row["minute"] in minutes}
    loaded = [row for row in known.values() if row["loaded"]]
    return Reached(
        due=len(minutes),
        landed=sum(row["landed"] for row in known.values()),
        loaded=len(loaded),
        merged=sum(row["merged"] for row in loaded),
        ended=sum(row["ended"] and not row["loaded"] for row in known.values()),
    )


class Bars:
    """One bar a stage of the mesh."""

    _STAGES = ("due", "landed", "loaded", "merged")

    def __init__(self, progress: Progress, title: str) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {
            stage: progress.add_task(f"{title} {stage}", total=None) for stage in self._STAGES
        }

    def show(self, now: Reached) -> None:
        """Move the bars; minutes that have ended count as past every stage."""
        for stage, task in self._tasks.items():
            done = now.due if stage == "due" else min(now.due, getattr(now, stage) + now.ended)
            self._progress.update(task, total=now.due, completed=done)


@contextmanager
def bars(console: Console, title: str) -> Iterator[Bars]:
    """Show bars while the block runs."""
    columns = (TextColumn("{task.description:<16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield Bars(progress, title)


def follow(
    look: Callable[[], Reached],
    show: Callable[[Reached], None],
    until: Callable[[Reached], bool],
    *,
    seconds: float | None = None,
    check: Callable[[], None] = lambda: None,
) -> Reached:
    """Look and show about once a second until a condition holds; raise MeshError when it does not in time."""
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        check()
        now = look()
        show(now)
        if until(now):
            return now
        if end is not None and time.monotonic() > end:
            raise MeshError(f"not done after {seconds:.0f} s: {now}")
        time.sleep(_POLL_SECONDS)
