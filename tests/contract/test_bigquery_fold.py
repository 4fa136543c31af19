"""Folds on a real engine: they change nothing that anybody sees, however often, and whatever fails."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from services.merger.by_hand import fold_by_hand, question
from services.merger.transactions import RunSql
from shared.contracts.outcomes import MeshError, Retryable
from shared.operations.version_counts import VersionCounts, VersionCountsReader
from shared.operations.version_tables import read_version_tables
from shared.warehouse.rendering import render
from tests.support.landed import Object, domain
from tests.support.operations import mesh_of
from tests.support.versions import ALL_COLUMNS, deadline, failing_at, shown, tables
from tests.support.waiting import wait_until
from tests.support.warehouse import Warehouse, merge_now, utc

FIRST, SECOND, THIRD = utc(14, 10), utc(14, 11), utc(14, 12)


def merge(warehouse: Warehouse, minute: Any, *lines: Object) -> None:
    """Land, load and merge one minute."""
    warehouse.load(warehouse.land(minute, *lines))
    warehouse.merge()


def age(warehouse: Warehouse, hours: int = 5) -> None:
    """Let what was merged have been merged some hours earlier."""
    sql = f"UPDATE {warehouse.dataset}.domains_recent SET merged_at = TIMESTAMP_SUB(merged_at, INTERVAL {hours} HOUR)"  # noqa: S608
    warehouse.run(f"{sql} WHERE TRUE")


def rows(warehouse: Warehouse, table: str) -> list[tuple[Any, ...]]:
    """Return which observations a table holds."""
    return warehouse.read(f"domains_{table}", "id, feed_minute, feed_line")


def test_a_fold_changes_nothing_that_is_seen(warehouse: Warehouse) -> None:
    """Base has one row per id, recent is empty, the fence has the generation; nor does a second fold."""
    merge(warehouse, FIRST, domain("a", analysed=1, tld="net", tags=["x"]), domain("b", analysed=1))
    merge(warehouse, SECOND, domain("a", analysed=2), domain("c"))
    before = shown(warehouse)
    first = warehouse.fold()
    assert (first.folded_rows, first.base_rows) == (4, 3)
    assert shown(warehouse) == before
    assert rows(warehouse, "base") == [("a", SECOND, 1), ("b", FIRST, 2), ("c", SECOND, 2)]
    assert not rows(warehouse, "recent")
    second = warehouse.fold()
    # Within the hour, and still a generation of its own.
    assert second.generation > first.generation
    assert (second.folded_rows, second.base_rows) == (0, 3)
    assert shown(warehouse) == before
    assert warehouse.read("domains_fence", "generation") == warehouse.read("domains_base", "DISTINCT folded_at")


def test_a_fold_leaves_the_last_hours(warehouse: Warehouse) -> None:
    """What was merged in this hour and the one before stays in recent; the view shows the same."""
    merge(warehouse, FIRST, domain("a", analysed=1), domain("b", analysed=1))
    age(warehouse)
    merge(warehouse, SECOND, domain("a", analysed=2))
    before = shown(warehouse)
    assert warehouse.fold(keep_hours=2).folded_rows == 2
    assert rows(warehouse, "base") == [("a", FIRST, 1), ("b", FIRST, 2)]
    assert rows(warehouse, "recent") == [("a", SECOND, 1)]
    assert shown(warehouse) == before


def test_only_rows_that_folds_have_left_are_overdue(warehouse: Warehouse) -> None:
    """Merger, status and audit count the rows that every fold of the last six hours could have taken."""
    merge(warehouse, FIRST, domain("a"))
    age(warehouse, hours=4)
    merge(warehouse, SECOND, domain("b"), domain("c"))
    age(warehouse, hours=5)
    merge(warehouse, THIRD, domain("d"))
    sql = render(
        "services.merger/foldable.sql", dataset=warehouse.dataset, feed=warehouse.feed, keep_hours=2, chance_hours=6
    )
    assert warehouse.run(sql) == [{"foldable_rows": 3, "old_rows": 1}]
    sql = render("shared.operations/version_old_rows.sql", dataset=warehouse.dataset, feed=warehouse.feed, old_hours=8)
    assert warehouse.run(sql) == [{"old_rows": 1}]
    assert read_version_tables(mesh_of(warehouse), warehouse.feed).old_rows == 1


OLDER_AND_NEWER = {
    "missing and 1970": (domain("a"), domain("a", analysed=1)),
    "before 1970 and missing": (domain("a", analysed=-5), domain("a")),
    "absurd and 1970": (domain("a", analysed=10**30), domain("a", analysed=1)),
    "two analyses": (domain("a", analysed=9, modified=99), domain("a", analysed=10)),
    "two modifications": (domain("a", analysed=9, modified=1), domain("a", analysed=9, modified=2)),
}


@pytest.mark.parametrize("case", OLDER_AND_NEWER)
@pytest.mark.parametrize("newer_first", [True, False])
def test_versions_are_compared_across_both_tables(warehouse: Warehouse, case: str, newer_first: bool) -> None:
    """An older version that arrives after the newer one was folded does not show, and a newer one does."""
    older, newer = OLDER_AND_NEWER[case]
    merge(warehouse, FIRST if newer_first else THIRD, newer if newer_first else older)
    warehouse.fold()
    merge(warehouse, SECOND, older if newer_first else newer)
    expected = [("a", FIRST if newer_first else SECOND, 1)]
    assert rows(warehouse, "current") == expected
    warehouse.fold()
    assert rows(warehouse, "current") == expected


def test_of_equal_versions_the_later_observation_wins_across_both_tables(warehouse: Warehouse) -> None:
    """By minute, then line; and one that is merged again changes nothing."""
    merge(warehouse, SECOND, domain("a", analysed=7))
    warehouse.fold()
    merge(warehouse, FIRST, domain("a", analysed=7))
    assert rows(warehouse, "current") == [("a", SECOND, 1)]
    merge(warehouse, THIRD, domain("a", analysed=7), domain("a", analysed=7))
    assert rows(warehouse, "current") == [("a", THIRD, 2)]
    warehouse.fold()
    merge(warehouse, THIRD, domain("a", analysed=7), domain("a", analysed=7))
    assert rows(warehouse, "current") == [("a", THIRD, 2)]


@pytest.fixture
def filled(warehouse: Warehouse) -> Warehouse:
    """Return a warehouse with rows in base, in recent and in staging."""
    merge(warehouse, FIRST, domain("a", analysed=1), domain("b", analysed=1))
    warehouse.fold()
    merge(warehouse, SECOND, domain("a", analysed=2), domain("c"))
    warehouse.load(warehouse.land(THIRD, domain("c", analysed=3)))
    return warehouse


def fail_at_each(warehouse: Warehouse, work: Any) -> Iterator[int]:
    """Fail behind each statement of a transaction; yield its number, or -1 if something had changed."""
    before = tables(warehouse)
    run: RunSql
    for place in range(99):
        run = failing_at(warehouse, place)
        try:
            work(run)
        except Retryable as error:
            yield place if "injected" in str(error) and tables(warehouse) == before else -1
        else:
            return


def test_a_merge_that_fails_at_any_statement_changes_nothing(filled: Warehouse) -> None:
    """All tables are as they were; then it succeeds."""
    failed = list(fail_at_each(filled, lambda run: merge_now(filled.merger(run), filled.feed)))
    assert failed == list(range(len(failed)))
    assert len(failed) > 10
    assert not filled.read("domains_staging", "id")
    assert rows(filled, "current") == [("a", SECOND, 1), ("b", FIRST, 2), ("c", THIRD, 1)]


def test_a_fold_that_fails_at_any_statement_changes_nothing(filled: Warehouse) -> None:
    """All tables are as they were; then it succeeds."""
    before = shown(filled)
    failed = list(fail_at_each(filled, lambda run: filled.folder(run).fold(filled.feed, end=deadline())))
    assert failed == list(range(len(failed)))
    assert len(failed) > 8
    assert not rows(filled, "recent")
    assert shown(filled) == before


def test_a_fold_heals_what_no_fold_leaves(filled: Warehouse) -> None:
    """Two generations in base become one again, an id twice becomes one row, and rows from the future are taken."""
    before = shown(filled)
    d = filled.dataset
    filled.run(
        f"INSERT INTO {d}.domains_base (id, feed_minute, feed_line, last_analysis_date, folded_at)"  # noqa: S608
        f" SELECT id, feed_minute, feed_line, last_analysis_date, TIMESTAMP_ADD(folded_at, INTERVAL 3 HOUR)"
        f" FROM {d}.domains_base"
    )
    age(filled, hours=-50)
    assert filled.folder().fold(filled.feed, end=deadline(), everything=True).folded_rows == 2
    assert shown(filled) == before
    assert len(filled.read("domains_base", "DISTINCT folded_at")) == 1
    assert not rows(filled, "recent")
    assert filled.read("domains_fence", "generation") == filled.read("domains_base", "DISTINCT folded_at")


def test_an_operator_can_fold_at_any_time(filled: Warehouse) -> None:
    """The question says what is read; hours that may still be written stay, unless everything is asked for."""
    before = shown(filled)
    assert question(mesh_of(filled), filled.feed).startswith("A fold reads domains_base and domains_recent")
    assert fold_by_hand(mesh_of(filled), filled.feed).folded_rows == 0
    assert fold_by_hand(mesh_of(filled), filled.feed, everything=True).folded_rows == 2
    assert shown(filled) == before


def test_merges_and_folds_at_once_lose_nothing(warehouse: Warehouse) -> None:
    """Minutes are loaded, merged and folded by several threads; one of two transactions may be told to try again."""
    minutes = [utc(15, minute) for minute in range(9)]
    landings = [
        warehouse.land(minute, domain("a", analysed=minute.minute), domain(f"d{minute.minute}")) for minute in minutes
    ]

    def patiently(work: Any) -> None:
        wait_until(lambda: _done(work), "it succeeds")

    with ThreadPoolExecutor(3) as threads:
        loads = [threads.submit(patiently, lambda landed=landed: warehouse.load(landed)) for landed in landings]
        while not all(running.done() for running in loads):
            both = [threads.submit(patiently, warehouse.merge), threads.submit(patiently, warehouse.fold)]
            for running in both:
                running.result()
        for running in loads:
            running.result()
    patiently(warehouse.merge)
    for _ in range(2):
        assert rows(warehouse, "current") == sorted(
            [("a", minutes[-1], 1), *[(f"d{minute.minute}", minute, 2) for minute in minutes]]
        )
        patiently(warehouse.fold)


def _done(work: Any) -> bool:
    try:
        work()
    except MeshError:
        return False
    return True


def test_all_columns_are_compared() -> None:
    """What `shown` looks at is the whole row."""
    assert {"id", "tags", "tld", "last_analysis_date"} <= set(ALL_COLUMNS)


def test_the_status_counts_newest_versions(own_warehouse: Warehouse) -> None:
    """The counts are read again after ten minutes; a feed without the tables has none."""
    mesh, reader = mesh_of(own_warehouse), VersionCountsReader(mesh_of(own_warehouse))
    now = utc(15, 0)
    assert reader.read("domains", now) == VersionCounts(0, 0, None)
    merge(own_warehouse, FIRST, domain("a"), domain("b"))
    own_warehouse.fold()
    merge(own_warehouse, SECOND, domain("a"))
    assert reader.read("domains", now + timedelta(minutes=9)) == VersionCounts(0, 0, None)
    [(generation,)] = own_warehouse.read("domains_fence", "generation")
    assert reader.read("domains", now + timedelta(minutes=10)) == VersionCounts(1, 2, generation)
    own_warehouse.run(f"DROP TABLE {own_warehouse.dataset}.domains_fence")
    assert VersionCountsReader(mesh).read("domains", now) is None
