"""Follow minutes: one progress bar per stage, until every minute is merged, absent or dead."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from google.cloud.bigquery import Row
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from shared.contracts.outcomes import MeshError
from shared.gcp.bigquery import Parameters, run_query
from shared.operations.accounts import EVER
from shared.operations.mesh import Mesh
from shared.warehouse.rendering import render

_POLL_SECONDS = 1.0


@dataclass(frozen=True)
class Reached:
    """How many of the followed minutes have reached each stage; ended ones are absent or dead."""

    due: int
    landed: int
    loaded: int
    merged: int
    ended: int

    @property
    def all_loaded(self) -> bool:
        """Whether only a merge is left to do."""
        return self.loaded + self.ended >= self.due

    @property
    def done(self) -> bool:
        """Whether every minute has reached a final state."""
        return self.merged + self.ended >= self.due


def reached(mesh: Mesh, feed: str, minutes: Collection[datetime], after: datetime = EVER) -> Reached:
    """Look up the minutes' stages; only ledger events after a given time count, so that a replay can be followed."""
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
    """Return the time of the newest ledger event of these minutes."""
    return max((row["latest"] for row in _known(mesh, feed, minutes, EVER)), default=EVER)


def _known(mesh: Mesh, feed: str, minutes: Collection[datetime], after: datetime) -> list[Row]:
    span: Parameters = {"first_minute": min(minutes), "last_minute": max(minutes)}
    sql = render("shared.operations/follow.sql", dataset=mesh.dataset)
    rows = run_query(mesh.warehouse, sql, {"feed": feed, "after": after, **span})
    wanted = set(minutes)
    return [row for row in rows if row["minute"] in wanted]


class NotDone(MeshError):
    """The followed minutes were not completed in time."""

    def __init__(self, seconds: float, reached_by: Mapping[str, Reached]) -> None:
        super().__init__(f"not done after {seconds:.0f} s: {dict(reached_by)}")
        self.reached = reached_by


class Bars:
    """Progress bars: one per stage and group of minutes."""

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
    columns = (
        TextColumn("{task.description:<22}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
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
    """Poll every group about once a second and show its progress until a condition holds for all.

    `check` may raise to end the waiting; NotDone is raised when it takes longer than `seconds`.
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
            raise NotDone(seconds or 0.0, now)
        time.sleep(_POLL_SECONDS)
