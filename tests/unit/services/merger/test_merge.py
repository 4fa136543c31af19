"""The merger: what it asks BigQuery, when it asks again, and that there is only one of it."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina
from hypothesis import given
from hypothesis import strategies as st

from services.merger.merge import Merger, MergeResult
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import Feed, find_feed, known_feeds
from shared.warehouse.errors import ConcurrentUpdate, RateLimited
from shared.warehouse.rendering import render
from tests.support.doubles import NOON, Clock

DOMAINS = find_feed("domains")
FIRST = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)
AN_HOUR_LATER = NOON + HOUR


class Warehouse:
    """Runs SQL as BigQuery would, for one feed whose staging holds some lines a minute.

    A transaction takes some seconds of the clock; `arriving` are minutes that a load appends while one runs.
    """

    def __init__(self, staged: Mapping[datetime, int] | int, *troubles: Exception, seconds: float = 60) -> None:
        self.staged = Counter({FIRST: staged} if isinstance(staged, int) else staged)
        self.troubles = list(troubles)
        self.arriving: list[datetime] = []
        self.clock = Clock()
        self.transactions: list[dict[datetime, int]] = []
        self.allowed: list[float] = []
        self._seconds = seconds

    def __call__(self, sql: str, /, *, seconds: float) -> Sequence[Mapping[str, Any]]:
        """Count the staged lines, or merge them."""
        if "TRANSACTION" not in sql:
            return [{"lines": self.staged.total()}]
        if self.troubles:
            raise self.troubles.pop(0)
        self.allowed.append(seconds)
        found = re.search(r"lines_so_far <= (\d+) AND place <= (\d+)", sql)
        assert found
        bounds = self._bounds(*map(int, found.groups()))
        staged_lines = self.staged.total()
        taken = {minute: lines for minute, lines in self.staged.items() if bounds[0] <= minute < bounds[1]}
        self.staged -= Counter(taken)
        self.transactions.append(taken)
        self.clock.advance(seconds=self._seconds)
        if self.arriving:
            self.staged[self.arriving.pop(0)] += 1
        return [
            {
                "staged_lines": staged_lines,
                "merged_lines": sum(taken.values()),
                "merged_minutes": len(taken),
                "first_minute": min(taken, default=None),
                "last_minute": max(taken, default=None),
            }
        ]

    def _bounds(self, max_lines: int, max_hours: int) -> tuple[datetime, datetime]:
        hours: Counter[datetime] = Counter()
        for minute, lines in self.staged.items():
            hours[minute.replace(minute=0)] += lines
        first = min(hours)
        end, lines = first + HOUR, 0
        for place, hour in enumerate(sorted(hours), 1):
            lines += hours[hour]
            if place > 1 and (lines > max_lines or place > max_hours):
                break
            end = hour + HOUR
        return first, end


def merger(warehouse: Warehouse, max_lines: int = 1000) -> Merger:
    """Return a merger of this warehouse."""
    return Merger(run=warehouse, dataset="p.d", now=warehouse.clock, max_lines=max_lines, pause=warehouse.clock.pause)


def merge(warehouse: Warehouse, max_lines: int = 1000, turn: datetime = AN_HOUR_LATER) -> MergeResult:
    """Merge what is staged, within an hour."""
    return merger(warehouse, max_lines).merge(DOMAINS, turn=turn, end=AN_HOUR_LATER)


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def test_what_is_staged_is_merged() -> None:
    """The answer says how much, between which minutes, and in how many transactions."""
    warehouse = Warehouse({FIRST: 100, FIRST + timedelta(minutes=2): 20})
    assert merge(warehouse) == MergeResult(120, 2, "2026-11-21T14:10:00Z", "2026-11-21T14:12:00Z", 1, 0)
    assert not warehouse.staged.total()


def test_an_empty_staging_is_left_alone() -> None:
    """An empty staging starts no transaction, which would bill ten MB for each table."""
    assert merge(Warehouse(0, AssertionError("no transaction is needed"))) == MergeResult()


MINUTES = st.integers(0, 60 * 30).map(lambda minutes: FIRST + timedelta(minutes=minutes))


@given(
    staged=st.dictionaries(MINUTES, st.integers(1, 50), min_size=1, max_size=40),
    max_lines=st.integers(1, 400),
    arriving=st.lists(MINUTES, max_size=3),
)
def test_any_staging_is_merged_whole_in_bounded_transactions(
    staged: dict[datetime, int], max_lines: int, arriving: list[datetime]
) -> None:
    """In whole hours, and none larger than it may be unless it is one hour; what arrives is merged or still there."""
    warehouse = Warehouse(staged, seconds=1)
    warehouse.arriving = list(arriving)
    merged = merge(warehouse, max_lines)
    came = Counter(staged) + Counter(arriving[: len(arriving) - len(warehouse.arriving)])
    moved: Counter[datetime] = Counter()
    for taken in warehouse.transactions:
        hours = {minute.replace(minute=0) for minute in taken}
        assert sum(taken.values()) <= max_lines or len(hours) == 1
        moved.update(taken)
    assert moved + warehouse.staged == came
    assert merged.lines == moved.total()
    assert merged.left == 0
    assert warehouse.staged.total() <= 1


def test_what_arrives_meanwhile_is_for_the_next_run() -> None:
    """Or a run would go on, in ever smaller transactions, for as long as minutes come in."""
    warehouse = Warehouse(100)
    warehouse.arriving = [FIRST + timedelta(minutes=minute) for minute in range(1, 9)]
    assert merge(warehouse).transactions == 1
    assert warehouse.staged.total() == 1


def test_the_oldest_hours_are_merged_first() -> None:
    """They expire first, and were asked for first."""
    warehouse = Warehouse({FIRST + hours * HOUR: 10 for hours in (3, 1, 2, 0)})
    merge(warehouse, max_lines=20)
    assert [sorted(taken) for taken in warehouse.transactions] == [
        [FIRST, FIRST + HOUR],
        [FIRST + 2 * HOUR, FIRST + 3 * HOUR],
    ]


def test_a_turn_ends_before_a_transaction_that_would_not_fit() -> None:
    """Ten hours of a minute each, and five minutes: four fit, as one that took a minute must; the rest is counted."""
    warehouse = Warehouse({FIRST + hours * HOUR: 10 for hours in range(10)})
    merged = merge(warehouse, max_lines=10, turn=NOON + timedelta(minutes=5))
    assert (merged.transactions, merged.lines, merged.left) == (5, 50, 50)
    # None runs on when the run is over.
    assert warehouse.allowed == [3600 - 60 * before for before in range(5)]


def test_a_turn_that_is_over_begins_nothing() -> None:
    """What the feeds before it have used is gone; the next run begins with another feed."""
    warehouse = Warehouse(100)
    assert merge(warehouse, turn=NOON + timedelta(seconds=19)) == MergeResult(left=100)
    assert not warehouse.transactions


BUSY = ConcurrentUpdate("aborted due to concurrent update")
LIMITED = RateLimited("Exceeded rate limits: too many table update operations for this table")


@pytest.mark.parametrize("troubles", [[BUSY, BUSY], [LIMITED, LIMITED], [BUSY, LIMITED, BUSY]])
def test_a_transaction_that_met_another_statement_or_a_limit_runs_again(troubles: list[Exception]) -> None:
    """BigQuery cancels one of two that change the same table; it has changed nothing."""
    assert merge(Warehouse(5, *troubles)).lines == 5


@pytest.mark.parametrize("trouble", [BUSY, LIMITED])
def test_a_trouble_that_stays_is_raised(trouble: Exception) -> None:
    """Attempts end, and so does the run; the next schedule tries again."""
    warehouse = Warehouse(5, *[trouble] * 999)
    with pytest.raises(type(trouble)):
        merge(warehouse)
    assert warehouse.staged.total() == 5


def test_a_rate_limit_is_waited_for_no_longer_than_the_run_is() -> None:
    """With growing patience, up to a minute; the run ends in time."""
    warehouse = Warehouse(5, *[LIMITED] * 999)
    with pytest.raises(RateLimited):
        merge(warehouse)
    assert AN_HOUR_LATER - timedelta(minutes=1) <= warehouse.clock() < AN_HOUR_LATER
    assert 60 <= 999 - len(warehouse.troubles) <= 130


def test_nothing_else_is_tried_twice() -> None:
    """A missing table will still be missing."""
    with pytest.raises(Misconfigured):
        merge(Warehouse(5, Misconfigured("no table")))


def test_there_is_one_merge_at_a_time() -> None:
    """The second is told so, and leaves the first its right."""
    one = merger(Warehouse(0))
    with one.only_one() as first:
        with one.only_one() as second:
            assert first
            assert not second
        with one.only_one() as third:
            assert not third


def test_a_failed_merge_makes_room_for_the_next() -> None:
    """Or one failure would be the last merge."""
    one = merger(Warehouse(5, Misconfigured("no table")))
    with pytest.raises(Misconfigured), one.only_one():
        one.merge(DOMAINS, turn=AN_HOUR_LATER, end=AN_HOUR_LATER)
    with one.only_one() as free:
        assert free


def statements(feed: Feed = DOMAINS) -> list[str]:
    """Return the statements of the merge."""
    sql = render("services.merger/merge.sql", dataset="p.d", feed=feed, max_lines=9, max_hours=9)
    return [" ".join(statement.split()) for statement in sql.split(";") if statement.strip()]


@pytest.mark.parametrize("feed", known_feeds().values(), ids=lambda feed: feed.name)
def test_a_merge_bills_new_data_only(feed: Feed) -> None:
    """A merge never names base, updates only the fence, and inserts everything else."""
    written = [statement for statement in statements(feed) if re.match("UPDATE|MERGE|INSERT|DELETE", statement)]
    assert [statement.split("`")[1].removeprefix(f"p.d.{feed.name}_") for statement in written] == [
        *("fence", "history", "recent", "p.d.minutes", "staging")
    ]
    assert [statement for statement in statements(feed) if "_base" in statement or "WHEN MATCHED" in statement] == []
    assert [statement for statement in written if statement.startswith("UPDATE")] == [
        f"UPDATE `p.d.{feed.name}_fence` SET `at` = CURRENT_TIMESTAMP() WHERE TRUE"  # noqa: S608
    ]


def test_the_fence_is_taken_before_anything_is_read() -> None:
    """Two transactions conflict in their first statement, before either has read what the other changes."""
    begin = statements().index("BEGIN TRANSACTION")
    assert statements()[begin + 1].startswith("UPDATE `p.d.domains_fence`")


def test_history_is_pruned_by_the_bounds() -> None:
    """The MERGE reads only the partitions of the staged hours."""
    (history,) = (statement for statement in statements() if "MERGE `p.d.domains_history`" in statement)
    assert "history.feed_minute >= first_hour" in history
    assert "history.feed_minute < end_hour" in history


def test_staging_is_cleared_by_whole_partitions() -> None:
    """A DELETE of nothing but whole partitions is not billed; its bounds lie on hours, and it names nothing else."""
    (cleared,) = (statement for statement in statements() if "DELETE FROM" in statement)
    assert cleared.partition("WHERE ")[2] == "feed_minute >= first_hour AND feed_minute < end_hour"
