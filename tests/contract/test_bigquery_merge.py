"""The merge on a real engine: each observation once, one current row per id, exact accounts."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.merger.merge import MergeResult
from shared.contracts.messages import MinuteLanded
from shared.contracts.outcomes import Misconfigured, Retryable
from tests.support.landed import Object, domain
from tests.support.waiting import PATIENCE, wait_until
from tests.support.warehouse import Warehouse, utc

FIRST, SECOND, THIRD = utc(14, 10), utc(14, 11), utc(14, 12)


def history(warehouse: Warehouse) -> list[tuple[datetime, int, str]]:
    """Return the keys and ids in history."""
    return warehouse.read("domains_history", "feed_minute, feed_line, id")


def current(warehouse: Warehouse) -> dict[str, tuple[datetime, int]]:
    """Return the position of each id's newest version."""
    return {row[0]: row[1:] for row in warehouse.read("domains_current", "id, feed_minute, feed_line")}


def merged(warehouse: Warehouse) -> list[tuple[datetime, int]]:
    """Return the accounts of the merged minutes."""
    return warehouse.read("minute_status", "minute, `rows`")


def load(warehouse: Warehouse, minute: datetime, *lines: Object | None) -> None:
    """Land and load one minute."""
    assert warehouse.load(warehouse.land(minute, *lines)).state == "done"


def test_a_merge_moves_everything(warehouse: Warehouse) -> None:
    """After a merge staging is empty, history has each line, current each id and the ledger each minute."""
    load(warehouse, FIRST, domain("a", analysed=1), None, domain("b", analysed=1))
    load(warehouse, SECOND, domain("a", analysed=2))
    assert warehouse.merge() == MergeResult(3, 2, "2026-11-21T14:10:00Z", "2026-11-21T14:11:00Z", 1)
    assert history(warehouse) == [(FIRST, 1, "a"), (FIRST, 3, "b"), (SECOND, 1, "a")]
    assert current(warehouse) == {"a": (SECOND, 1), "b": (FIRST, 3)}
    assert merged(warehouse) == [(FIRST, 2), (SECOND, 1)]
    assert not warehouse.read("domains_staging", "id")
    assert warehouse.merge() == MergeResult()


def test_what_came_twice_counts_once(warehouse: Warehouse) -> None:
    """Loading a minute twice before a merge, and again after it, changes nothing."""
    landed = warehouse.land(FIRST, domain("a", analysed=1), domain("a", analysed=1), domain("b"))
    for _ in range(2):
        warehouse.load(landed)
    warehouse.merge()
    once = history(warehouse), current(warehouse), merged(warehouse)
    assert once[0] == [(FIRST, 1, "a"), (FIRST, 2, "a"), (FIRST, 3, "b")]
    assert once[2] == [(FIRST, 3)]
    warehouse.load(landed)
    assert warehouse.merge().lines == 3
    assert (history(warehouse), current(warehouse), merged(warehouse)) == once


NEWER_AND_OLDER = {
    "later analysis": (domain("1", analysed=200), domain("1", analysed=100, modified=900)),
    "same analysis, later modification": (domain("2", analysed=9, modified=31), domain("2", analysed=9, modified=30)),
    "no modification": (domain("3", analysed=100, modified=1), domain("3", analysed=100)),
    "no analysis": (domain("4", analysed=100), domain("4", modified=999)),
    "no date": (domain("5", analysed=1), domain("5")),
    "before 1970": (domain("6"), domain("6", analysed=-5)),
    "absurd": (domain("7", analysed=5), domain("7", analysed=10**30)),
}


@pytest.mark.parametrize("apart", [True, False])
def test_the_newest_version_wins_in_any_order_of_arrival(warehouse: Warehouse, apart: bool) -> None:
    """The newest version is the one with the latest analysis, then modification.

    A missing or invalid date counts as 1970.
    """
    load(warehouse, FIRST, *[newer for newer, _ in NEWER_AND_OLDER.values()])
    if apart:
        warehouse.merge()
    load(warehouse, SECOND, *[older for _, older in NEWER_AND_OLDER.values()])
    warehouse.merge()
    where = current(warehouse)
    assert {name: where[newer["id"]][0] for name, (newer, _) in NEWER_AND_OLDER.items()} == dict.fromkeys(
        NEWER_AND_OLDER, FIRST
    )


@pytest.mark.parametrize("apart", [True, False])
def test_of_equal_versions_the_later_observation_wins(warehouse: Warehouse, apart: bool) -> None:
    """Of equal versions the one from the later minute and line wins, even when the later minute arrives first."""
    load(warehouse, SECOND, domain("a", analysed=7), domain("a", analysed=7))
    if apart:
        warehouse.merge()
    load(warehouse, FIRST, domain("a", analysed=7))
    warehouse.merge()
    assert current(warehouse) == {"a": (SECOND, 2)}
    assert len(history(warehouse)) == 3


def test_an_older_version_changes_no_column(warehouse: Warehouse) -> None:
    """An older version changes no column; a newer one changes every column, also to NULL."""
    load(warehouse, FIRST, domain("a", analysed=100, tld="net", tags=["x", "y"]))
    warehouse.merge()
    load(warehouse, SECOND, domain("a", analysed=99, tld="org", tags=["z"]))
    warehouse.merge()
    assert warehouse.read("domains_current", "tld, tags") == [("net", ["x", "y"])]
    load(warehouse, THIRD, domain("a", analysed=101))
    warehouse.merge()
    assert warehouse.read("domains_current", "tld, tags") == [(None, [])]


def test_a_failed_merge_changes_nothing(own_warehouse: Warehouse) -> None:
    """The merge is one transaction: if the ledger rows fail, history gets none and staging keeps its rows."""
    load(own_warehouse, FIRST, domain("a", analysed=1))
    own_warehouse.client.delete_table(f"{own_warehouse.dataset}.minutes", timeout=PATIENCE)
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        own_warehouse.merge()
    assert not history(own_warehouse)
    assert not current(own_warehouse)
    assert own_warehouse.read("domains_staging", "id") == [("a",)]
    own_warehouse.provision()
    own_warehouse.merge()
    assert merged(own_warehouse) == [(FIRST, 1)]


LINES = st.tuples(
    st.integers(0, 3), st.integers(0, 2), st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)), max_size=3)
)


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    staged=st.lists(LINES, min_size=1, max_size=6),
    more=st.lists(LINES, max_size=3),
    max_lines=st.sampled_from([1, 2, 5]),
)
def test_a_bounded_merge_of_any_staging_equals_the_unbounded(
    warehouse: Warehouse,
    staged: list[tuple[int, int, list[tuple[str, int]]]],
    more: list[tuple[int, int, list[tuple[str, int]]]],
    max_lines: int,
) -> None:
    """Merging hour by hour or all at once gives the same history, newest versions and accounts."""
    outcomes = []
    landed = [
        [
            warehouse.land(utc(14 + hour, minute), *[domain(name, analysed=date) for name, date in lines])
            for hour, minute, lines in part
            if lines
        ]
        for part in (staged, more)
    ]
    for bound in (1_000_000, max_lines):
        warehouse.clear()
        for part in landed:
            for one in part:
                assert warehouse.load(one).state == "done"
            merged_now = warehouse.merge(bound)
            assert merged_now.left == 0
        assert not warehouse.read("domains_staging", "id")
        outcomes.append((history(warehouse), current(warehouse), merged(warehouse)))
    assert outcomes[0] == outcomes[1]


def test_loads_that_arrive_during_merges_survive(warehouse: Warehouse) -> None:
    """Rows that arrive during a merge are outside its snapshot, and the next merge takes them."""
    minutes = [utc(15, minute) for minute in range(12)]
    landings = [warehouse.land(minute, domain("a", analysed=minute.minute), domain("b")) for minute in minutes]
    # The bounds of every merge span the minutes that are still to come.
    load(warehouse, FIRST, domain("a"))
    load(warehouse, utc(16, 0), domain("a"))

    def load_landed(landed: MinuteLanded) -> None:
        wait_until(lambda: _done(lambda: warehouse.load(landed)), "a load succeeds")

    with ThreadPoolExecutor(3) as threads:
        loads = [threads.submit(load_landed, landed) for landed in landings]
        while not all(running.done() for running in loads):
            _done(warehouse.merge)
        for finished in loads:
            finished.result()
    wait_until(lambda: _done(warehouse.merge) and not warehouse.merge().lines, "staging is empty")
    assert history(warehouse) == sorted(
        [(FIRST, 1, "a"), (utc(16, 0), 1, "a"), *[(m, n, i) for m in minutes for n, i in ((1, "a"), (2, "b"))]]
    )
    assert current(warehouse) == {"a": (minutes[-1], 1), "b": (minutes[-1], 2)}
    assert merged(warehouse) == [(FIRST, 1), *[(minute, 2) for minute in minutes], (utc(16, 0), 1)]


def _done(work: Callable[[], object]) -> bool:
    """Run a step that may conflict with another statement and would be repeated by the next delivery or schedule."""
    try:
        work()
    except Retryable:
        return False
    return True


def test_the_view_and_the_table_function_show_the_same(warehouse: Warehouse) -> None:
    """The view returns each id's newest version; the function every observation between two minutes, both inclusive."""
    load(warehouse, FIRST, {**domain("a", analysed=1), "links": {"self": "x"}, "relationships": {"r": [1]}})
    load(warehouse, SECOND, domain("b", analysed=1, tld="org"))
    load(warehouse, THIRD, domain("a", analysed=3, tld="com"))
    warehouse.merge()
    columns = "id, tld, feed_minute, last_analysis_date, attributes"
    newest = warehouse.read("domains", columns)
    assert [row[:3] for row in newest] == [("a", "com", THIRD), ("b", "org", SECOND)]
    between = "domains_between(TIMESTAMP '2026-11-21 {} UTC', TIMESTAMP '2026-11-21 {} UTC')"
    assert warehouse.read(between.format("14:11:00", "14:12:00"), columns) == newest
    (first,) = warehouse.read(between.format("14:10:00", "14:10:00"), "links, relationships, context_attributes")
    assert [_parsed(value) for value in first] == [{"self": "x"}, {"r": [1]}, None]


def _parsed(value: object) -> object:
    return orjson.loads(value) if isinstance(value, str) else value


def test_the_view_outlives_history(warehouse: Warehouse) -> None:
    """Once history has expired, the headline stays and the JSON is NULL."""
    load(warehouse, FIRST, domain("a", analysed=1, tld="net"))
    warehouse.merge()
    warehouse.run(f"TRUNCATE TABLE {warehouse.dataset}.domains_history")
    assert warehouse.read("domains", "id, tld, attributes") == [("a", "net", None)]
