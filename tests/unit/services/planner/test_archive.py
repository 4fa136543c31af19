"""What has landed comes back, whatever ledger and history have lost, and whatever its age."""

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.planner.sweep import Sweeper
from shared.contracts.interfaces import LedgerRow
from shared.contracts.manifests import next_landed_day
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import manifest_name, minutes_between
from shared.operations.planner_state import PlanState, PlanStateStore
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket, MemoryHistory, MemoryLedger, MemoryPublisher

TODAY = NOON.replace(hour=0)
OLD = TODAY - timedelta(days=40)
LINES = 5


class ArchiveHarness:
    """A sweeper of a feed whose planned minutes are all merged, with an older archive."""

    def __init__(self, expiry_days: int | None = None) -> None:
        self.clock = Clock()
        self.created_ago = timedelta(hours=1)
        self.bucket = MemoryBucket(now=lambda: self.clock() - self.created_ago)
        self.publisher = MemoryPublisher()
        self.ledger = MemoryLedger()
        self.history = MemoryHistory(expiry_days)
        self.store = PlanStateStore(self.bucket)
        planned = NOON - timedelta(hours=2)
        self.store.save("domains", PlanState(first=planned, watermark=planned), 0)
        self.land(planned)
        self.merge(planned)
        self.sweeper = Sweeper(
            store=self.store,
            bucket=self.bucket,
            publisher=self.publisher,
            ledger=lambda: self.ledger,
            history=lambda: self.history,
            now=self.clock,
        )

    def land(self, minute: datetime) -> None:
        """Land a minute."""
        landed = MinuteLanded(
            feed="domains",
            minute=minute,
            uri="gs://landing/x",
            crc32c="0" * 8,
            lines=LINES,
            rejected=0,
            bytes=2,
            landed_at=minute,
        )
        self.bucket.create(manifest_name("domains", minute), landed.body)
        self.bucket.create(f"domains/{minute:%Y/%m/%d/%H%M}-0.ndjson.gz", b"")

    def merge(self, minute: datetime) -> None:
        """Have the ledger and history know a minute as merged."""
        self.ledger.record([LedgerRow("merged", minute, "domains", minute, lines=LINES, rows=LINES)])
        self.history.counts[minute] = LINES

    def sweep(self, *, hours: int = 1) -> list[datetime]:
        """Sweep and return the minutes that were announced; then time passes."""
        self.publisher.published.clear()
        swept = self.sweeper.sweep("domains", until=self.clock() + timedelta(minutes=4))
        landed = [MinuteLanded.model_validate_json(one.body) for one in self.publisher.published["minutes-landed"]]
        assert swept.recovered == len(landed)
        assert not self.publisher.published["feed-minutes"]
        self.clock.advance(hours=hours)
        return [one.minute for one in landed]


def test_a_lost_dataset_comes_back_from_the_bucket() -> None:
    """Every landed minute of every day is announced in one run while anything is lost."""
    harness = ArchiveHarness()
    minutes = [OLD + timedelta(days=day, minutes=minute) for day in range(3) for minute in range(4)]
    for minute in minutes:
        harness.land(minute)
    assert harness.sweep() == minutes
    for minute in minutes:
        harness.merge(minute)
    assert not [minute for _ in range(5) for minute in harness.sweep()]


def test_a_day_a_run_is_compared_while_nothing_is_lost() -> None:
    """So a run costs the same however old the archive is; after the last day it begins again."""
    harness = ArchiveHarness()
    days = [OLD, OLD + timedelta(days=1), OLD + timedelta(days=30)]
    for day in days:
        harness.land(day)
        harness.merge(day)
    harness.sweep()
    harness.history.counts[OLD] = LINES - 1
    runs = [harness.sweep() for _ in range(6)]
    assert [run for run in runs if run] == [[OLD]]
    assert runs.index([OLD]) == 4


@pytest.mark.parametrize(
    ("event", "rows", "announced"),
    [
        (None, 0, True),
        ("asked", 0, True),
        ("absent", 0, True),
        ("landed", 0, True),
        ("loaded", 0, True),
        ("dead", 0, False),
        ("merged", 0, True),
        ("merged", LINES - 1, True),
        ("merged", LINES, False),
        ("merged", LINES + 1, False),
    ],
)
def test_what_ledger_or_history_lack_is_announced(event: str | None, rows: int, announced: bool) -> None:
    """A dead letter is an operator's, and too many rows are the audit's."""
    harness = ArchiveHarness()
    harness.land(OLD)
    if event:
        counted = LINES if event == "merged" else None
        harness.ledger.record([LedgerRow(event, OLD, "domains", OLD, lines=LINES, rows=counted)])
    harness.history.counts[OLD] = rows
    assert harness.sweep() == ([OLD] if announced else [])


def test_a_landing_of_this_moment_is_on_its_way() -> None:
    """Its message has not been handled yet."""
    harness = ArchiveHarness()
    harness.created_ago = timedelta(minutes=9)
    harness.land(OLD)
    assert harness.sweep(hours=0) == []
    harness.clock.advance(minutes=2)
    assert [run for run in (harness.sweep() for _ in range(4)) if run] == [[OLD]]


def test_days_that_history_has_dropped_are_left_alone() -> None:
    """Their rows would expire as they are merged."""
    harness = ArchiveHarness(expiry_days=30)
    for day in (OLD, TODAY - timedelta(days=30), TODAY - timedelta(days=29)):
        harness.land(day)
    assert harness.sweep() == [TODAY - timedelta(days=29)]


def test_a_damaged_manifest_hides_no_other() -> None:
    """The log names it."""
    harness = ArchiveHarness()
    harness.bucket.create(manifest_name("domains", OLD), b"{")
    harness.land(OLD + timedelta(minutes=1))
    assert harness.sweep() == [OLD + timedelta(minutes=1)]


@pytest.mark.parametrize(
    "name", ["domains/readme.txt", "domains/2026/13/01/x.json", "domains/2026/11/31/1410.json", "domains/.keep"]
)
def test_foreign_objects_in_the_folder_end_nothing(name: str) -> None:
    """They name no day."""
    bucket = MemoryBucket()
    bucket.create(name, b"")
    assert next_landed_day(bucket, "domains", date(2026, 11, 1)) is None
    bucket.create(manifest_name("domains", NOON), b"")
    assert next_landed_day(bucket, "domains", date(2026, 11, 1)) == NOON.date()


@settings(max_examples=30, deadline=None)
@given(
    lost=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9), st.sampled_from(["ledger", "history", "both"]))),
)
def test_whatever_is_lost_is_announced_and_nothing_else(lost: list[tuple[int, int, str]]) -> None:
    """Within one comparison of the bucket."""
    harness = ArchiveHarness()
    for day in range(5):
        for minute in minutes_between(OLD + timedelta(days=day), OLD + timedelta(days=day, minutes=9)):
            harness.land(minute)
            harness.merge(minute)
    expected = set()
    for day, number, where in lost:
        minute = OLD + timedelta(days=day, minutes=number)
        expected.add(minute)
        if where != "history":
            harness.ledger.rows = [row for row in harness.ledger.rows if row.minute != minute]
        if where != "ledger":
            harness.history.counts.pop(minute, None)
    assert {minute for _ in range(6) for minute in harness.sweep(hours=0)} == expected
