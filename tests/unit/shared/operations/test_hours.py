"""Coverage, gaps, status and the page of a feed whose packages are hours."""

from dataclasses import replace
from datetime import datetime, timedelta

import orjson

from services.status_page.shape import shape
from shared.contracts.minutes import ONE_HOUR, Period
from shared.operations.coverage import Cell, Coverage, coverage_of, planner_problems
from shared.operations.feed_status import feed_status
from shared.operations.planner_state import PlanState
from shared.operations.status import MeshStatus
from tests.support.doubles import NOON

FEED = "threat_lists"
HOURS = Period(ONE_HOUR, timedelta(minutes=120))


def hour(number: int) -> datetime:
    """Return an hour of the test's day."""
    return NOON.replace(hour=number)


def covered(now: datetime = NOON) -> Coverage:
    """Return a feed with hours in several states; the hour of 10:00 is due a minute after noon."""
    known = {
        hour(5): Cell(hour(5), "merged", NOON, lines=600),
        hour(8): Cell(hour(8), "absent", NOON),
        hour(9): Cell(hour(9), "landed", NOON),
    }
    return coverage_of(FEED, known, PlanState(first=hour(5), watermark=hour(10)), now, period=HOURS)


def test_a_cell_is_an_hour_and_adjacent_hours_are_one_gap() -> None:
    """Minutes inside an hour are not missing, and the newest hour has ten more minutes."""
    found = covered()
    assert [cell.minute.hour for cell in found.cells] == [5, 6, 7, 8, 9]
    [first] = covered(NOON + timedelta(minutes=5)).gaps(NOON + timedelta(minutes=5))
    assert (first.first, first.last, first.minutes) == (hour(6), hour(7), 120)
    assert first.remedy == "gti-mesh replay threat_lists 2026-11-21T06:00Z 2026-11-21T07:00Z"
    late = NOON + timedelta(minutes=11)
    assert [(gap.first, gap.trouble) for gap in covered(late).gaps(late)] == [
        (hour(6), "missing"),
        (hour(9), "never loaded"),
        (hour(10), "missing"),
    ]
    assert "period" not in first.report()


def test_a_feed_of_hours_is_stale_later_than_one_of_minutes() -> None:
    """The limit is two missed merges plus lag and length; lines per minute are a sixtieth of the hour's."""
    assert not feed_status(covered(), hour(9)).stale
    assert feed_status(covered(), NOON).stale
    alone = coverage_of(
        FEED, {hour(9): Cell(hour(9), "merged", NOON, lines=600)}, PlanState(first=hour(9), watermark=hour(9)), NOON,
        period=HOURS,
    )  # fmt: skip
    status = feed_status(alone, NOON)
    assert (status.lines_per_minute, status.period, status.states_7d) == (10.0, "hour", {"merged": 1})


def test_a_stopped_planner_is_told_of_in_hours() -> None:
    """The count is of packages that were not requested."""
    state = PlanState(first=hour(1), watermark=hour(5))
    [problem] = planner_problems(FEED, state, NOON + timedelta(minutes=20), HOURS)
    assert "5 hours since 2026-11-21T05:00:00Z are not requested" in str(problem)


def test_old_hours_of_a_source_that_keeps_all_are_a_gap_until_they_are_requested() -> None:
    """A planner that stood still for ten days has them to request; of another source they are lost and no gap."""
    state, late = PlanState(first=hour(1), watermark=hour(5)), NOON + timedelta(days=10)
    for period, first in ((HOURS, HOURS.oldest_served(late)), (replace(HOURS, is_kept=True), hour(6))):
        [gap] = coverage_of(FEED, {}, state, late, period=period).gaps(late)
        assert (gap.first, gap.trouble) == (first, "never requested")


def test_an_hour_fills_sixty_cells_of_the_page_and_its_facts_stand_at_the_first() -> None:
    """The map has one cell per minute; the page reads an hour's facts at its first minute."""
    coverage = covered()
    status = MeshStatus(NOON, [feed_status(coverage, NOON)], (), ())
    [feed] = orjson.loads(orjson.dumps(shape(status, [coverage], seconds=10)))["feeds"]
    assert feed["every"] == 60
    begin = int((hour(5) - (NOON - timedelta(days=7))) / timedelta(minutes=1)) - 1
    assert feed["cells"][begin - 1 : begin + 301] == "-" + "m" * 60 + "D" * 120 + "a" * 60 + "l" * 60 + "."
    assert (feed["lines"][begin], feed["lines"][begin + 1]) == (600, None)
