"""The coverage of a feed: one cell per minute, and the gaps."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from shared.contracts.dead_letters import dead_letter_type
from shared.contracts.minutes import EVERY_MINUTE, Period, format_minute
from shared.contracts.outcomes import DeadLetterType
from shared.feeds.definition import Feed
from shared.gcp.bigquery import run_query
from shared.operations.accepted_replays import OpenReplays
from shared.operations.feed_conditions import FeedCondition
from shared.operations.gaps import PLAN, Gap
from shared.operations.health import Trouble, longest_run, newest_checked, trouble_of
from shared.operations.mesh import Mesh
from shared.operations.packed_rows import unpacked
from shared.operations.planner_state import PlanState
from shared.operations.problems import Problem, readable
from shared.warehouse.rendering import render


@dataclass(frozen=True)
class Cell:
    """One minute.

    State `due` means that it was requested and is not in the ledger, with `at` if the request came late; `unrequested`
    that the planner should have requested it.
    """

    minute: datetime
    state: str = "due"
    at: datetime | None = None
    lines: int | None = None
    rejected: int | None = None
    bytes: int | None = None
    reason: str | None = None
    attempts: int | None = None
    job_id: str | None = None
    counted: bool = True
    error_type: DeadLetterType | None = None

    def trouble(self, now: datetime, period: Period = EVERY_MINUTE) -> Trouble | None:
        """Return what is wrong with this minute by now, or None."""
        return trouble_of(self.minute, self.state, self.at, now, counted=self.counted, period=period)


_NO_REPLAYS = OpenReplays({})


@dataclass(frozen=True)
class Coverage:
    """All minutes that a feed should have, oldest first, of the last 7 days.

    `first` is the first minute that the planner requested; a replay may have loaded older ones. `condition` is why the
    source gives no packages of the feed, if so. `problems` are those of reading it, and of a planner that does not run.
    `older` are earlier minutes: of replays that are not finished, and of a source that keeps all, those not requested.
    """

    feed: str
    cells: tuple[Cell, ...]
    last_due: datetime | None
    first: datetime | None = None
    condition: FeedCondition | None = None
    problems: tuple[Problem, ...] = ()
    older: tuple[Cell, ...] = ()
    period: Period = EVERY_MINUTE

    def since(self, moment: datetime) -> Iterator[Cell]:
        """Yield the cells from a time on."""
        return (cell for cell in self.cells if cell.minute >= moment)

    def last(self, state: str) -> datetime | None:
        """Return the newest minute in a state."""
        return max((cell.minute for cell in self.cells if cell.state == state), default=None)

    def gaps(self, now: datetime) -> list[Gap]:
        """Return the gaps, oldest first; adjacent minutes with the same trouble and error type form one gap."""
        return list(_gaps(self.feed, (*self.older, *self.cells), now, self.period))

    def longest_absence(self) -> int:
        """Return the longest run of consecutive absent minutes."""
        return longest_run((cell.minute for cell in self.cells if cell.state == "absent"), self.period)


def _gaps(feed: str, cells: Iterable[Cell], now: datetime, period: Period) -> Iterator[Gap]:
    open_gap: Gap | None = None
    for cell in cells:
        trouble = cell.trouble(now, period)
        here = Gap(feed, cell.minute, cell.minute, trouble, cell.reason, cell.error_type, period) if trouble else None
        if open_gap and here and _continues(open_gap, here):
            open_gap = replace(open_gap, last=here.last)
            continue
        if open_gap:
            yield open_gap
        open_gap = here
    if open_gap:
        yield open_gap


def _continues(gap: Gap, cell: Gap) -> bool:
    same = (gap.trouble, gap.error_type) == (cell.trouble, cell.error_type)
    return same and cell.first == gap.last + gap.period.length


def read_coverages(mesh: Mesh, feeds: Sequence[Feed], now: datetime) -> list[Coverage]:
    """Read the coverage of feeds over the source's retention: one ledger query, the planner's states, open replays."""
    replays = {feed.name: mesh.replays(feed.name) for feed in feeds}
    oldest = {feed.name: feed.every().oldest_served(now) for feed in feeds}
    begin = min((opened.reach(oldest[feed], now)[0] for feed, opened in replays.items()), default=now)
    known: dict[str, dict[datetime, Cell]] = {feed.name: {} for feed in feeds}
    sql = render("shared.operations/coverage.sql", dataset=mesh.dataset)
    for row in run_query(mesh.warehouse, sql, {"feeds": ",".join(known), "first_minute": begin}):
        cells = (Cell(**_typed(one)) for one in unpacked([row], ("minute", "at")))
        known[row["feed"]] |= {cell.minute: cell for cell in cells}
    return [with_objects(mesh, feed, known[feed.name], now, replays[feed.name]) for feed in feeds]


def with_objects(
    mesh: Mesh, feed: Feed, cells: Mapping[datetime, Cell], now: datetime, replays: OpenReplays = _NO_REPLAYS
) -> Coverage:
    """Return a feed's coverage from what the ledger knows and the feed's objects in the bucket.

    An object that cannot be read is a problem of the coverage and hides nothing else.
    """
    problems: list[Problem] = []
    name, period = feed.name, feed.every()
    plan = readable(lambda: mesh.plan(name), problems)
    if plan:
        readable(lambda: mesh.plans.check(name, plan, now), problems)
    if not problems:
        problems += planner_problems(name, plan, now, period)
    condition = readable(lambda: mesh.condition(name), problems)
    problems += map(Problem, replays.damaged)
    found = coverage_of(name, cells, plan, now, replays.minutes(), period)
    return replace(found, condition=condition, problems=tuple(problems))


def planner_problems(
    feed: str, plan: PlanState | None, now: datetime, period: Period = EVERY_MINUTE
) -> Iterator[Problem]:
    """Yield the problems of a planner that never ran, does not run, or did not run until packages were deleted."""
    if plan is None:
        yield Problem(f"{feed}: the planner has never run", PLAN)
    elif plan.watermark < (newest := newest_checked(now, period)):
        count = period.count(plan.watermark, newest) - 1
        since = format_minute(plan.watermark)
        yield Problem(f"{feed}: the planner has not run, {count} {period.name}s since {since} are not requested", PLAN)
    for lost in plan.lost if plan else ():
        count, span = period.count(lost.first, lost.last), f"{format_minute(lost.first)} to {format_minute(lost.last)}"
        until = f"the planner did not run until {lost.at:%Y-%m-%dT%H:%MZ}"
        yield Problem(f"{feed}: {until}, and the source has deleted {count} {period.name}s, {span}")


def _typed(row: dict[str, Any]) -> dict[str, Any]:
    if row["state"] == "dead":
        row["error_type"] = dead_letter_type(row["error_type"], row["reason"])
    return row


def coverage_of(
    feed: str,
    known: Mapping[datetime, Cell],
    plan: PlanState | None,
    now: datetime,
    replayed: Mapping[datetime, datetime] = MappingProxyType({}),
    period: Period = EVERY_MINUTE,
) -> Coverage:
    """Return a feed's coverage from the ledger's states and the requests of the planner and of open replays.

    replayed are the minutes of the replays, with the time of the request.
    """
    begin = period.oldest_served(now)
    further = {minute: cell for minute, cell in known.items() if cell.state != "due"}
    cells = {minute: Cell(minute, at=at) for minute, at in replayed.items()}
    cells |= {minute: cell for minute, cell in known.items() if cell.state == "due"}
    cells |= _planned(plan, begin, now, period, further) if plan else {}
    cells |= further
    found = [cells[minute] for minute in sorted(cells)]
    return Coverage(
        feed,
        tuple(cell for cell in found if cell.minute >= begin),
        plan.reached(now, period) if plan else None,
        plan.first if plan else None,
        older=tuple(
            cell for cell in found if cell.minute < begin and (cell.minute in replayed or cell.state == "unrequested")
        ),
        period=period,
    )


def _planned(
    plan: PlanState, begin: datetime, now: datetime, period: Period, further: Container[datetime]
) -> dict[datetime, Cell]:
    """Return the minutes that the planner has requested and that are no further, and those that it should have."""
    requested = period.between(max(plan.first, begin), plan.reached(now, period))
    cells = {minute: Cell(minute, at=plan.requested_late(minute)) for minute in requested if minute not in further}
    return cells | {minute: Cell(minute, "unrequested") for minute in plan.unrequested(now, period)}
