"""Follow minutes to their end: a bar a stage, until every minute is merged, absent or dead."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from google.cloud.bigquery import Row
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from services.console.accounts import EVER
from services.console.mesh import Mesh
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.outcomes import MeshError
from shared.warehouse.rendering import render

_POLL_SECONDS = 1.0


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


def reached(mesh: Mesh, feed: str, minutes: Collection[datetime], after: datetime = EVER) -> Reached:
    """Look up how far minutes have come; only what the ledger dates after a moment counts: a replay can be followed."""
    known = _known(mesh, feed, minutes, after)
    loaded = [row for row in known if row["loaded"]]
    return Reached(
        due=len(minutes),
        landed=sum(row["landed"] for row in known),
        loaded=len(loaded),
        merged=sum(row["merged"] for row in loaded),
        ended=sum(row["ended"] and not row["loaded"] for row in known),
    )


def latest_event(mesh: Mesh, feed: str, minutes: Collection[datetime]) -> datetime:
    """Return the ledger's newest time for these minutes: what comes later is dated later, by whichever clock."""
    return max((row["latest"] for row in _known(mesh, feed, minutes, EVER)), default=EVER)


def _known(mesh: Mesh, feed: str, minutes: Collection[datetime], after: datetime) -> list[Row]:
    bounds: dict[str, tuple[str, str | datetime]] = {
        "feed": ("STRING", feed),
        "first_minute": ("TIMESTAMP", min(minutes)),
        "last_minute": ("TIMESTAMP", max(minutes)),
        "after": ("TIMESTAMP", after),
    }
    with bigquery_errors():
        rows = run_query(mesh.warehouse, render("services.console/follow.sql", dataset=mesh.dataset), bounds)
    wanted = set(minutes)
    return [row for row in rows if row["minute"] in wanted]


class Bars:
    """One bar a stage of the mesh, for as many groups of minutes as are followed."""

    _STAGES = ("due", "landed", "loaded", "merged")

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def show(self, title: str, now: Reached) -> None:
        """Move a group's bars; minutes that have ended count as past every stage."""
        for stage in self._STAGES:
            done = now.due if stage == "due" else min(now.due, getattr(now, stage) + now.ended)
            task = self._tasks.get((title, stage))
            if task is None:
                task = self._tasks[title, stage] = self._progress.add_task(f"{title} {stage}", total=now.due)
            self._progress.update(task, completed=done)


@contextmanager
def bars(console: Console) -> Iterator[Bars]:
    """Show bars while the block runs."""
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        yield Bars(progress)


def follow(
    look: Mapping[str, Callable[[], Reached]],
    until: Callable[[Reached], bool],
    *,
    show: Callable[[str, Reached], None] = lambda _title, _now: None,
    check: Callable[[], None] = lambda: None,
    seconds: float | None = None,
) -> dict[str, Reached]:
    """Look at every group and show it about once a second until a condition holds for all.

    `check` may raise to end the waiting; MeshError is raised when it takes longer than `seconds`.
    """
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        check()
        now = {title: look_at() for title, look_at in look.items()}
        for title, reached_now in now.items():
            show(title, reached_now)
        if all(until(reached_now) for reached_now in now.values()):
            return now
        if end is not None and time.monotonic() > end:
            raise MeshError(f"not done after {seconds:.0f} s: {now}")
        time.sleep(_POLL_SECONDS)
