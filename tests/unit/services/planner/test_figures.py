"""The figures of a feed for alarms, and the log line with them."""

import json
import logging
from datetime import timedelta

import pytest

from services.planner.figures import Figures, fields_of, figures
from services.planner.sweep import Sweeper
from shared.contracts.interfaces import LedgerRow, MinuteState
from shared.contracts.minutes import ONE_MINUTE, minutes_between
from shared.operations.feed_conditions import FeedCondition
from shared.operations.planner_state import PlanState, PlanStateStore
from shared.runtime.logs import JsonFormatter
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket, MemoryHistory, MemoryLedger, MemoryPublisher

FIRST = NOON - timedelta(minutes=160)
WATERMARK = NOON - timedelta(minutes=61)
STATE = PlanState(first=FIRST, watermark=WATERMARK)


def known(state: str, *offsets: int) -> list[MinuteState]:
    """Return the ledger's minutes in a state, by their distance from the feed's first."""
    return [MinuteState(FIRST + offset * ONE_MINUTE, state, NOON) for offset in offsets]


def test_freshness_is_the_age_of_the_newest_merged_minute() -> None:
    """Minutes that are only landed or loaded do not count as fresh."""
    ledger = [*known("merged", 3, 7), *known("loaded", 20)]
    assert figures(STATE, ledger, missing=0, now=NOON).freshness_minutes == 153


def test_a_feed_that_never_merged_is_as_old_as_its_first_minute() -> None:
    """So the alarm for a stale feed also covers a feed that never merged."""
    assert figures(STATE, [], missing=0, now=NOON).freshness_minutes == 160


def test_a_replay_of_older_minutes_makes_a_feed_no_older() -> None:
    """A new feed is not stale because a replay merged minutes before its first."""
    assert figures(STATE, known("merged", -90), missing=0, now=NOON).freshness_minutes == 160


def test_coverage_is_the_share_of_minutes_neither_missing_nor_dead() -> None:
    """Of 100 requested minutes 3 are missing and 2 dead, so 95 are covered; an absent one is accounted for."""
    ledger = [*known("dead", 1, 2), *known("absent", 5)]
    found = figures(STATE, ledger, missing=3, now=NOON)
    assert (found.uncovered_minutes, found.coverage_percent) == (5, 95.0)


def test_minutes_that_a_stopped_planner_has_not_requested_are_uncovered() -> None:
    """Uncovered minutes are computed from the clock; minutes that a replay has loaded are covered."""
    stopped = PlanState(first=FIRST, watermark=FIRST + 9 * ONE_MINUTE)
    found = figures(stopped, known("merged", *range(11)), missing=0, now=NOON)
    # 71 minutes ago is the newest that should be known, the 90th; ten were asked for, and one was replayed.
    assert found.uncovered_minutes == 90 - 11


def test_a_feed_of_which_nothing_was_asked_for_is_covered() -> None:
    """A first start publishes nothing, and nothing is wrong."""
    beginning = PlanState.beginning(WATERMARK)
    assert figures(beginning, [], missing=0, now=NOON).coverage_percent == 100.0


@pytest.mark.parametrize(
    ("offsets", "run"), [((), 0), ((4,), 1), ((1, 3, 4, 5, 9), 3), ((-60, -50, -40, -30, -20, -10), 1)]
)
def test_absence_is_counted_in_neighbouring_minutes(offsets: tuple[int, ...], run: int) -> None:
    """A minute with data ends the run."""
    assert figures(STATE, known("absent", *offsets), missing=0, now=NOON).absent_in_a_row == run


def test_a_feed_with_a_condition_has_its_own_alarm_and_no_other() -> None:
    """Its figures would also trigger the alarms for a stale feed and for missing minutes."""
    condition = FeedCondition(error_type="not_licensed", reason="403", since=NOON)
    found = figures(STATE, [], missing=99, now=NOON)
    assert fields_of(condition, found) == {"error_type": "not_licensed"}
    passing = FeedCondition(error_type="trouble", reason="503", since=NOON)
    assert fields_of(passing, found)["uncovered_minutes"] == found.uncovered_minutes
    assert fields_of(None, found)["uncovered_minutes"] == 99


def test_the_line_of_a_sweep_carries_the_figures_as_fields(caplog: pytest.LogCaptureFixture) -> None:
    """Log-based metrics extract numbers from fields, and a zero is a number."""
    caplog.set_level(logging.INFO)
    store, ledger = PlanStateStore(bucket := MemoryBucket("landing")), MemoryLedger()
    store.save("domains", STATE, 0)
    merged = minutes_between(FIRST, FIRST + ONE_MINUTE), minutes_between(FIRST + 2 * ONE_MINUTE, WATERMARK)
    for state, minutes in zip(("merged", "loaded"), merged, strict=True):
        ledger.record([LedgerRow(state, NOON, "domains", minute) for minute in minutes])
    publisher = MemoryPublisher()
    sweeper = Sweeper(
        store=store,
        bucket=bucket,
        publisher=publisher,
        ledger=lambda: ledger,
        history=MemoryHistory,
        now=Clock(NOON),
    )
    sweeper.sweep("domains", until=NOON + timedelta(minutes=1))
    line = json.loads(JsonFormatter("my-project").format(caplog.records[-1]))
    assert line["message"].startswith("planner.sweep: domains ")
    fields = Figures.__dataclass_fields__
    assert {name: line[name] for name in fields} == {
        "freshness_minutes": 159,
        "uncovered_minutes": 0,
        "coverage_percent": 100.0,
        "absent_in_a_row": 0,
    }
