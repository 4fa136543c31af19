"""One model of health: the sweep's figures, `status` and the audit always agree."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.figures import figures
from services.planner.missing_minutes import find_missing, overdue
from shared.contracts.interfaces import MinuteState
from shared.contracts.minutes import ONE_MINUTE, minutes_between
from shared.operations.coverage import Cell, coverage_of
from shared.operations.feed_status import feed_status
from shared.operations.health import STALE_AFTER, freshness, is_stale, longest_run
from shared.operations.planner_state import PlanState
from tests.support.doubles import NOON

FIRST = NOON - timedelta(hours=3)
PLAN = PlanState(first=FIRST, watermark=NOON - timedelta(minutes=61))
_STATES = st.sampled_from(["due", "landed", "loaded", "merged", "absent", "dead"])
_KNOWN = st.dictionaries(st.integers(-60, 118), st.tuples(_STATES, st.integers(0, 100), st.booleans()), max_size=60)


@given(_KNOWN, st.integers(0, 118), st.integers(0, 30))
def test_the_sweeps_figures_and_the_status_agree(
    drawn: dict[int, tuple[str, int, bool]], planned: int, ago: int
) -> None:
    """For any ledger and planner state both count the same minutes with problems, and the same age of the feed."""
    begin = PlanState.beginning(FIRST + (planned - 60) * ONE_MINUTE).model_copy(update={"first": FIRST})
    plan = begin.advanced(FIRST + planned * ONE_MINUTE, NOON - timedelta(minutes=ago))
    known = {
        FIRST + offset * ONE_MINUTE: (state, NOON - timedelta(minutes=age), counted or state != "merged")
        for offset, (state, age, counted) in drawn.items()
        if state != "due"
    }
    ledger = [MinuteState(minute, state, at, counted=counted) for minute, (state, at, counted) in known.items()]
    cells = {minute: Cell(minute, state, at, counted=counted) for minute, (state, at, counted) in known.items()}
    counted = figures(plan, ledger, missing=overdue(find_missing(plan, ledger, NOON)), now=NOON)
    status = feed_status(coverage_of("domains", cells, plan, NOON), NOON)
    assert counted.uncovered_minutes == sum(gap.minutes for gap in status.gaps)
    assert counted.absent_in_a_row == status.absent_in_a_row
    assert counted.freshness_minutes == status.freshness_minutes


def test_absent_minutes_that_lie_apart_are_no_run() -> None:
    """Six minutes before the feed's first, loaded by a replay, are adjacent in the list but not in time."""
    apart = {FIRST - timedelta(minutes=10 * number): "absent" for number in range(1, 7)}
    cells = {minute: Cell(minute, state, NOON) for minute, state in apart.items()}
    merged = {minute: Cell(minute, "merged", NOON) for minute in minutes_between(PLAN.first, PLAN.watermark)}
    status = feed_status(coverage_of("domains", cells | merged, PLAN, NOON), NOON)
    assert status.absent_in_a_row == 1
    assert list(status.problems()) == []


@given(st.sets(st.integers(0, 60)))
def test_the_longest_run_is_that_of_the_clock(numbers: set[int]) -> None:
    """The order of the minutes does not matter."""
    longest = longest_run(FIRST + number * ONE_MINUTE for number in numbers)
    runs = [(begin, length) for begin in numbers for length in range(1, 62)]
    lengths = [length for begin, length in runs if numbers.issuperset(range(begin, begin + length))]
    assert longest == max(lengths, default=0)


@pytest.mark.parametrize(
    ("first", "merged", "age"),
    [
        (None, None, None),
        (FIRST, None, NOON - FIRST),
        (FIRST, FIRST - ONE_MINUTE, NOON - FIRST),
        (FIRST, NOON - STALE_AFTER, STALE_AFTER),
        (None, NOON - STALE_AFTER - ONE_MINUTE, STALE_AFTER + ONE_MINUTE),
    ],
)
def test_a_feed_is_as_old_as_its_newest_merged_minute(
    first: datetime | None, merged: datetime | None, age: timedelta | None
) -> None:
    """Without a merged minute the age is that of the first minute; a feed that has not begun has no age."""
    assert freshness(first, merged, NOON) == age
    assert is_stale(age) is (age is not None and age > STALE_AFTER)
