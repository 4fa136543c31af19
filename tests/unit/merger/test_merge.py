"""The merger: what it asks BigQuery, when it asks again, and that there is only one of it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stamina

from services.merger.merge import Merged, Merger, in_turn
from shared.feeds.definition import Feed, Headline, find_feed
from shared.outcomes import Misconfigured
from shared.warehouse.errors import ConcurrentUpdate
from shared.warehouse.rendering import render

DOMAINS = find_feed("domains")
FIRST = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)
LAST = datetime(2026, 11, 21, 14, 12, tzinfo=UTC)


class Warehouse:
    """Runs SQL as BigQuery would, for one feed whose staging holds some lines."""

    def __init__(self, staged: int, *troubles: Exception) -> None:
        self.staged = staged
        self.troubles = list(troubles)

    def __call__(self, sql: str, /) -> Sequence[Mapping[str, Any]]:
        """Count the staged lines, or merge them."""
        if "TRANSACTION" not in sql:
            return [{"lines": self.staged}]
        if self.troubles:
            raise self.troubles.pop(0)
        lines, self.staged = self.staged, 0
        return [{"merged_lines": lines, "merged_minutes": 3, "first_minute": FIRST, "last_minute": LAST}]


def merger(warehouse: Warehouse) -> Merger:
    """Return a merger of this warehouse."""
    return Merger(run=warehouse, dataset="p.d")


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def test_what_is_staged_is_merged() -> None:
    """The answer says how much, and between which minutes."""
    warehouse = Warehouse(120)
    assert merger(warehouse).merge(DOMAINS) == Merged(120, 3, "2026-11-21T14:10:00Z", "2026-11-21T14:12:00Z")
    assert warehouse.staged == 0


def test_an_empty_staging_is_left_alone() -> None:
    """The transaction would bill the whole current table for nothing."""
    assert merger(Warehouse(0, AssertionError("no transaction is needed"))).merge(DOMAINS) == Merged()


def test_a_transaction_that_met_another_statement_runs_again() -> None:
    """BigQuery cancels one of two that change the same table; it has changed nothing."""
    busy = ConcurrentUpdate("aborted due to concurrent update")
    assert merger(Warehouse(5, busy, busy)).merge(DOMAINS).lines == 5


def test_a_conflict_that_stays_is_raised() -> None:
    """Attempts end; the next schedule tries again."""
    warehouse = Warehouse(5, *[ConcurrentUpdate("aborted")] * 3)
    with pytest.raises(ConcurrentUpdate):
        merger(warehouse).merge(DOMAINS)
    assert warehouse.staged == 5


def test_nothing_else_is_tried_twice() -> None:
    """A missing table will still be missing."""
    with pytest.raises(Misconfigured):
        merger(Warehouse(5, Misconfigured("no table"))).merge(DOMAINS)


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
        one.merge(DOMAINS)
    with one.only_one() as free:
        assert free


BEHAVIOURS = Feed(
    name="file_behaviours",
    path="file-behaviours",
    object_type="file_behaviour",
    licence="x",
    description="Sandbox reports.",
    version=("analysis_date",),
    headline=(
        Headline(name="analysis_date", type="TIMESTAMP", path="attributes.analysis_date", description="x"),
        Headline(name="sandbox_name", type="STRING", path="attributes.sandbox_name", description="x"),
    ),
)


def test_the_guard_is_the_version_order_column_by_column() -> None:
    """Each column counts only where all before it are equal; a missing date is 1970."""
    sql = render("services.merger/merge.sql", dataset="p.d", feed=BEHAVIOURS)
    guard = sql.partition("WHEN MATCHED AND (\n")[2].partition("\n) THEN")[0]
    newest, known = (f"COALESCE({side}.analysis_date, TIMESTAMP_SECONDS(0))" for side in ("newest", "known"))
    assert [line.strip() for line in guard.splitlines()] == [
        f"({newest} > {known})",
        f"OR ({newest} = {known} AND newest.feed_minute > known.feed_minute)",
        f"OR ({newest} = {known} AND newest.feed_minute = known.feed_minute AND newest.feed_line > known.feed_line)",
    ]


def test_the_archive_is_only_inserted_into() -> None:
    """BigQuery bills a MERGE that updates for its whole target; history's never does, and prunes by the bounds."""
    sql = render("services.merger/merge.sql", dataset="p.d", feed=DOMAINS)
    (history,) = (statement for statement in sql.split(";") if "MERGE `p.d.domains_history`" in statement)
    assert "WHEN MATCHED" not in history
    assert "history.feed_minute >= first_minute" in history
    assert "history.feed_minute <= last_minute" in history


def test_every_feed_has_its_turn_to_be_first() -> None:
    """Over as many runs as there are feeds each begins once, and no run leaves one out."""
    feeds = ("domains", "files", "urls")
    runs = [in_turn(feeds, FIRST + timedelta(minutes=30 * run)) for run in range(3)]
    assert sorted(run[0] for run in runs) == sorted(feeds)
    assert all(sorted(run) == sorted(feeds) for run in runs)
    assert in_turn((), FIRST) == ()
