"""The figures of a feed that alarms are made of, and the line that carries them."""

import json
import logging
from datetime import timedelta

import pytest

from services.planner.figures import Figures, figures
from services.planner.state import PlanState, StateStore
from services.planner.sweep import Sweeper
from shared.logs import JsonFormatter
from shared.memory import MemoryBucket, MemoryLedger, MemoryPublisher
from shared.minutes import ONE_MINUTE
from shared.ports import LedgerRow, MinuteState
from tests.doubles import NOON, Clock

FIRST = NOON - timedelta(minutes=160)
WATERMARK = NOON - timedelta(minutes=61)
STATE = PlanState(first=FIRST, watermark=WATERMARK)


def known(state: str, *offsets: int) -> list[MinuteState]:
    """Return minutes of the ledger in a state, by their distance from the feed's first."""
    return [MinuteState(FIRST + offset * ONE_MINUTE, state, NOON) for offset in offsets]


def test_freshness_is_the_age_of_the_newest_merged_minute() -> None:
    """What has only landed or loaded makes nobody's query fresher."""
    ledger = [*known("merged", 3, 7), *known("loaded", 20)]
    assert figures(STATE, ledger, missing=0, now=NOON).freshness_minutes == 153


def test_a_feed_that_never_merged_is_as_old_as_its_first_minute() -> None:
    """So that the alarm for a stale feed also tells of one that never began."""
    assert figures(STATE, [], missing=0, now=NOON).freshness_minutes == 160


def test_a_replay_of_older_minutes_makes_a_feed_no_older() -> None:
    """A feed that has only begun is not stale because minutes before its first were merged before its own."""
    assert figures(STATE, known("merged", -90), missing=0, now=NOON).freshness_minutes == 160


def test_coverage_is_the_share_of_minutes_neither_missing_nor_dead() -> None:
    """Of the 100 minutes that were asked for, 3 missing and 2 dead leave 95; an absent one is accounted for."""
    ledger = [*known("dead", 1, 2), *known("absent", 5)]
    found = figures(STATE, ledger, missing=3, now=NOON)
    assert (found.uncovered_minutes, found.coverage_percent) == (5, 95.0)


def test_a_feed_of_which_nothing_was_asked_for_is_covered() -> None:
    """A first start publishes nothing, and nothing is wrong."""
    beginning = PlanState.beginning(WATERMARK)
    assert figures(beginning, [], missing=0, now=NOON).coverage_percent == 100.0


@pytest.mark.parametrize(("offsets", "run"), [((), 0), ((4,), 1), ((1, 3, 4, 5, 9), 3)])
def test_absence_is_counted_in_neighbouring_minutes(offsets: tuple[int, ...], run: int) -> None:
    """A minute in between that came ends a row."""
    assert figures(STATE, known("absent", *offsets), missing=0, now=NOON).absent_in_a_row == run


def test_the_line_of_a_sweep_carries_the_figures_as_fields(caplog: pytest.LogCaptureFixture) -> None:
    """Log-based metrics extract numbers from fields, and a zero is a number."""
    caplog.set_level(logging.INFO)
    store, ledger = StateStore(bucket := MemoryBucket("landing")), MemoryLedger()
    store.save("domains", PlanState(first=FIRST, watermark=FIRST + ONE_MINUTE), 0)
    ledger.record([LedgerRow("merged", NOON, "domains", FIRST + offset * ONE_MINUTE) for offset in (0, 1)])
    publisher = MemoryPublisher()
    sweeper = Sweeper(store=store, bucket=bucket, publisher=publisher, ledger=lambda: ledger, now=Clock(NOON))
    sweeper.sweep("domains")
    line = json.loads(JsonFormatter("my-project").format(caplog.records[-1]))
    assert line["message"].startswith("planner.sweep: domains ")
    fields = Figures.__dataclass_fields__
    assert {name: line[name] for name in fields} == {
        "freshness_minutes": 159,
        "uncovered_minutes": 0,
        "coverage_percent": 100.0,
        "absent_in_a_row": 0,
    }
