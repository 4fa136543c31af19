"""The table of newest versions of an earlier version moves into base, whatever interrupts it, and loses no row."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from shared.contracts.outcomes import MeshError
from shared.operations.audit import audit
from shared.operations.provision import current_move, open_moves
from shared.warehouse.move_current import CurrentMove
from shared.warehouse.tables import Column
from tests.support.earlier_version import CURRENT, go_back, merge_as_before
from tests.support.landed import Object, domain
from tests.support.operations import mesh_of
from tests.support.versions import Key, modelled, shown
from tests.support.warehouse import DOMAINS, Warehouse, utc

FIRST: tuple[Object, ...] = (
    domain("a", analysed=1, tld="net", tags=["x", "y"]),
    domain("b", analysed=5),
    domain("c", modified=-5),
)
SECOND: tuple[Object, ...] = (domain("a", analysed=2), domain("b", analysed=4))
THIRD: tuple[Object, ...] = (domain("d"), domain("c", analysed=9))
HISTORY: dict[Key, Object] = {
    (utc(14, minute), line): one for minute, lines in ((10, FIRST), (11, SECOND)) for line, one in enumerate(lines, 1)
}
AFTER = {**HISTORY, **{(utc(14, 12), line): one for line, one in enumerate(THIRD, 1)}}


@pytest.fixture
def earlier(own_warehouse: Warehouse) -> Warehouse:
    """Return a dataset of the earlier version, into which it has merged two minutes."""
    go_back(own_warehouse)
    for minute, lines in ((10, FIRST), (11, SECOND)):
        own_warehouse.load(own_warehouse.land(utc(14, minute), *lines))
        merge_as_before(own_warehouse)
    assert shown(own_warehouse) == modelled(HISTORY)
    return own_warehouse


def move_of(warehouse: Warehouse) -> CurrentMove:
    """Return the move of the feed."""
    return current_move(mesh_of(warehouse), DOMAINS)


def snapshots(warehouse: Warehouse) -> list[str]:
    """Return the names of the snapshots."""
    tables = warehouse.client.list_tables(warehouse.dataset)
    return [table.table_id for table in tables if table.table_id.startswith("domains_current_")]


def test_every_row_moves(earlier: Warehouse) -> None:
    """The plan says what is done, a snapshot stays, merges go on, and a second run has nothing left to do."""
    assert open_moves(mesh_of(earlier)) == [
        "domains_current is of an earlier version; run `gti-mesh migrate current domains`"
    ]
    plan = move_of(earlier).plan()
    assert "4. drop the table domains_current" in plan
    assert any(line.startswith("BigQuery bills about") for line in plan)
    done = list(move_of(earlier).run())
    assert "domains_base has every row of the snapshot, and no other" in done
    assert done[-1] == "domains_current is a view of domains_recent and domains_base"
    assert shown(earlier) == modelled(HISTORY)
    [snapshot] = snapshots(earlier)
    assert earlier.read(snapshot, "id") == [("a",), ("b",), ("c",)]
    earlier.load(earlier.land(utc(14, 12), *THIRD))
    earlier.merge()
    assert shown(earlier) == modelled(AFTER)
    earlier.fold()
    assert shown(earlier) == modelled(AFTER)
    [found] = audit(mesh_of(earlier), None, deep=True, now=utc(15, 0))
    # Nobody recorded the loads.
    assert [wrong for wrong in found.wrong if "T14:1" not in wrong] == []
    assert (open_moves(mesh_of(earlier)), move_of(earlier).plan()) == ([], [])
    assert [line for line in move_of(earlier).run() if not line.startswith("wrote")] == done[-1:]


def test_a_move_that_is_interrupted_anywhere_loses_nothing(earlier: Warehouse) -> None:
    """It is run again, and stopped one step later, until it comes to its end; nothing is merged meanwhile."""
    earlier.load(earlier.land(utc(14, 12), *THIRD))
    steps, stops, is_dropped = 0, 0, False
    while not _ends_within(move_of(earlier).run(), steps):
        there = {table.table_id for table in earlier.client.list_tables(earlier.dataset)}
        if "domains_current" in there:
            assert shown(earlier) == modelled(HISTORY)
        else:
            assert earlier.read("domains_base", "id") == [("a",), ("b",), ("c",)]
            # A run has fewer steps from here on.
            steps, is_dropped = steps if is_dropped else -1, True
        if "domains_fence" in there and earlier.read("domains_fence", "generation"):
            # All that is left to do is to say so.
            break
        with pytest.raises(MeshError, match="run `gti-mesh"):
            earlier.merge()
        steps, stops = steps + 1, stops + 1
    assert stops > 6
    assert is_dropped
    assert shown(earlier) == modelled(HISTORY)
    earlier.merge()
    assert shown(earlier) == modelled(AFTER)


def _ends_within(lines: Iterator[str], steps: int) -> bool:
    """Go so many steps, and stop there; return whether that was the end."""
    return all(number != steps for number, _ in enumerate(lines))


@pytest.mark.parametrize("behind", ["took the snapshot", "domains_base has every row"])
def test_an_earlier_merger_that_goes_on_loses_nothing(earlier: Warehouse, behind: str) -> None:
    """What it brings into the table behind the snapshot's back comes from history; once the table is gone it fails."""
    moved = move_of(earlier).run()
    while behind not in next(moved):
        pass
    earlier.load(earlier.land(utc(14, 12), *THIRD))
    merge_as_before(earlier)
    list(moved)
    assert shown(earlier) == modelled(AFTER)
    earlier.load(earlier.land(utc(14, 13), domain("e")))
    with pytest.raises(MeshError):
        merge_as_before(earlier)
    assert earlier.read("domains_staging", "id") == [("e",)]
    assert len(earlier.read("domains_history", "id")) == len(AFTER)
    earlier.merge()
    assert ("e",) in earlier.read("domains_current", "id")


def test_a_column_that_no_yaml_has_stays_in_the_snapshot(own_warehouse: Warehouse) -> None:
    """The plan names it; and one that the table does not have yet is empty."""
    added = Column("our_own", "STRING", "x")
    columns = tuple(column for column in CURRENT.columns if column.name != "registrar")
    go_back(own_warehouse, replace(CURRENT, columns=(*columns, added)))
    own_warehouse.run(
        f"INSERT INTO {own_warehouse.dataset}.domains_current (id, feed_minute, feed_line, tld, our_own)"  # noqa: S608
        " VALUES ('a', TIMESTAMP '2026-11-21 14:10:00+00', 1, 'net', 'kept')"
    )
    move = move_of(own_warehouse)
    assert move.plan()[-1] == "column our_own is not in domains.yaml and stays in the snapshot only"
    list(move.run())
    assert own_warehouse.read("domains_current", "id, tld, registrar") == [("a", "net", None)]
    assert own_warehouse.read(snapshots(own_warehouse)[0], "id, our_own") == [("a", "kept")]
