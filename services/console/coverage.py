"""The coverage of a feed: one cell a minute, and the gaps among them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta
from itertools import groupby

from services.console.mesh import Mesh, Plan
from shared.feeds.definition import Feed
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.minutes import ONE_MINUTE, format_minute, last_due, minutes_between, oldest_served
from shared.warehouse.rendering import render

# A minute is on its way for a while before it counts as missing; a merge comes twice an hour.
_ON_ITS_WAY = timedelta(minutes=20)
_LOAD_OVERDUE = timedelta(minutes=20)
_MERGE_OVERDUE = timedelta(minutes=75)

_NUMBERS = re.compile(r"\d+")


@dataclass(frozen=True)
class Cell:
    """One minute; state `due` is a minute that was asked for and of which the ledger knows nothing."""

    minute: datetime
    state: str = "due"
    at: datetime | None = None
    lines: int | None = None
    rejected: int | None = None
    bytes: int | None = None
    reason: str | None = None
    attempts: int | None = None
    job_id: str | None = None

    def trouble(self, now: datetime) -> str | None:
        """Return what is wrong with this minute by now, or None."""
        match self.state:
            case "due":
                return "missing" if self.minute < last_due(now) - _ON_ITS_WAY else None
            case "landed":
                return "never loaded" if self._older_than(_LOAD_OVERDUE, now) else None
            case "loaded":
                return "never merged" if self._older_than(_MERGE_OVERDUE, now) else None
            case "dead":
                return "dead"
        return None

    def _older_than(self, patience: timedelta, now: datetime) -> bool:
        return self.at is not None and now - self.at > patience


_FACTS = tuple(field.name for field in fields(Cell))


@dataclass(frozen=True)
class Gap:
    """Minutes in a row with the same trouble."""

    feed: str
    first: datetime
    last: datetime
    trouble: str
    reason: str | None = None

    def holds(self, feed: str | None, minute: datetime | None) -> bool:
        """Say whether a minute lies in the gap."""
        return feed == self.feed and minute is not None and self.first <= minute <= self.last

    @property
    def minutes(self) -> int:
        """How many minutes the gap has."""
        return int((self.last - self.first) / ONE_MINUTE) + 1

    @property
    def remedy(self) -> str:
        """The command that repairs the gap."""
        return f"gti-mesh replay {self.feed} {self.first:%Y-%m-%dT%H:%MZ} {self.last:%Y-%m-%dT%H:%MZ}"

    def report(self) -> dict[str, object]:
        """Return the gap as JSON has it."""
        return {**asdict(self), "minutes": self.minutes, "remedy": self.remedy}


@dataclass(frozen=True)
class Coverage:
    """Every minute of a feed that should be there, oldest first, as far back as the source keeps packages.

    `first` is the first minute that the planner asked for; a replay may have brought older ones.
    """

    feed: str
    cells: tuple[Cell, ...]
    last_due: datetime | None
    first: datetime | None = None

    def since(self, moment: datetime) -> Iterator[Cell]:
        """Yield the cells from a moment on."""
        return (cell for cell in self.cells if cell.minute >= moment)

    def last(self, state: str) -> datetime | None:
        """Return the newest minute in a state."""
        return max((cell.minute for cell in self.cells if cell.state == state), default=None)

    def gaps(self, now: datetime) -> list[Gap]:
        """Return the gaps, oldest first; neighbours with the same trouble and reason are one."""
        return list(_gaps(self.feed, self.cells, now))

    def longest_absence(self) -> int:
        """Return the most minutes in a row that the source did not have."""
        runs = (len(list(run)) for absent, run in groupby(self.cells, lambda cell: cell.state == "absent") if absent)
        return max(runs, default=0)


def _gaps(feed: str, cells: Iterable[Cell], now: datetime) -> Iterator[Gap]:
    open_gap: Gap | None = None
    for cell in cells:
        trouble = cell.trouble(now)
        here = Gap(feed, cell.minute, cell.minute, trouble, cell.reason) if trouble else None
        if open_gap and here and _continues(open_gap, here):
            open_gap = Gap(feed, open_gap.first, here.last, here.trouble, here.reason)
            continue
        if open_gap:
            yield open_gap
        open_gap = here
    if open_gap:
        yield open_gap


def _continues(gap: Gap, cell: Gap) -> bool:
    return cell.first == gap.last + ONE_MINUTE and _kind(gap) == _kind(cell)


def _kind(gap: Gap) -> tuple[str, str]:
    # Reasons name their minute, their count, their object; what is left says what went wrong.
    return gap.trouble, _NUMBERS.sub("", gap.reason or "")


def read_coverage(mesh: Mesh, feed: Feed, now: datetime) -> Coverage:
    """Read one feed's coverage."""
    return read_coverages(mesh, [feed], now)[0]


def read_coverages(mesh: Mesh, feeds: Sequence[Feed], now: datetime) -> list[Coverage]:
    """Read the coverage of feeds over the days that the source keeps: one query of the ledger, the planner's states."""
    begin = oldest_served(now)
    known: dict[str, dict[datetime, Cell]] = {feed.name: {} for feed in feeds}
    sql = render("services.console/coverage.sql", dataset=mesh.dataset)
    with bigquery_errors():
        rows = run_query(
            mesh.warehouse, sql, {"feeds": ("STRING", ",".join(known)), "first_minute": ("TIMESTAMP", begin)}
        )
    for row in rows:
        # Not row.items(): it copies every value deeply, which for 50,000 minutes takes longer than the query.
        cell = Cell(**{name: row[name] for name in _FACTS})
        known[row["feed"]][cell.minute] = cell
    return [coverage_of(feed, cells, mesh.plan(feed), now) for feed, cells in known.items()]


def coverage_of(feed: str, known: Mapping[datetime, Cell], plan: Plan | None, now: datetime) -> Coverage:
    """Return a feed's coverage from what the ledger knows, and from what the planner has asked for that is due."""
    last = plan.reached(now) if plan else None
    asked = minutes_between(max(plan.first, oldest_served(now)), last) if plan and last else ()
    cells = {**{minute: Cell(minute) for minute in asked}, **known}
    return Coverage(feed, tuple(cells[minute] for minute in sorted(cells)), last, plan.first if plan else None)


def describe(gap: Gap) -> str:
    """Return a gap in one line."""
    span = format_minute(gap.first) if gap.minutes == 1 else f"{format_minute(gap.first)} to {format_minute(gap.last)}"
    reason = f": {gap.reason}" if gap.reason else ""
    return f"{gap.feed} {span} ({gap.minutes} min) {gap.trouble}{reason}"
