"""The audit finds every disagreement between package, rejects, staging, history and ledger, and nothing else."""

from datetime import datetime, timedelta

import pytest

from services.console.audit import Audit, audit
from shared.ports import LedgerRow
from tests.console import mesh_of
from tests.landed import Object, domain
from tests.warehouse import Warehouse, utc

FIRST, SECOND, THIRD = utc(14, 10), utc(14, 11), utc(14, 12)
NOW = utc(15, 30)


def bring_in(warehouse: Warehouse, minute: datetime, *lines: Object | None) -> None:
    """Land and load a minute, with what the loader writes into the ledger."""
    landed = warehouse.land(minute, *lines)
    warehouse.load(landed)
    row = LedgerRow("loaded", NOW, "domains", minute, lines=landed.lines, rejected=landed.rejected)
    warehouse.ledger.record([row])


@pytest.fixture
def books(warehouse: Warehouse) -> Warehouse:
    """Return a warehouse with two merged minutes, one of them with a rejected line, and one absent."""
    return kept(warehouse)


def kept(warehouse: Warehouse) -> Warehouse:
    """Keep the books of three minutes."""
    bring_in(warehouse, FIRST, domain("a", analysed=1), None, domain("b", analysed=1))
    bring_in(warehouse, SECOND, domain("a", analysed=2))
    warehouse.merge()
    warehouse.ledger.record([LedgerRow("absent", NOW, "domains", utc(14, 13))])
    return warehouse


def look(books: Warehouse, *, since: datetime | None = None, deep: bool = True, now: datetime = NOW) -> Audit:
    """Audit the one feed."""
    [found] = audit(mesh_of(books), since, deep=deep, now=now)
    return found


def test_books_that_balance_have_no_mismatch(books: Warehouse) -> None:
    """And the summary says what they hold."""
    found = look(books)
    assert found.wrong == ()
    assert found.summary() == (
        "domains: 3 minutes, 2 merged, 1 absent, 0 dead, 0 on their way; "
        "4 lines, 3 history rows, 1 rejected; no mismatch"
    )


def test_what_is_on_its_way_is_no_mismatch_until_it_is_overdue(books: Warehouse) -> None:
    """A landing before its load, a load before its merge, and a replay that is loaded once more."""
    books.ledger.record([LedgerRow("landed", NOW, "domains", utc(14, 14), lines=5, rejected=0)])
    bring_in(books, THIRD, domain("c"), None)
    bring_in(books, FIRST, domain("a", analysed=1), None, domain("b", analysed=1))
    assert look(books).wrong == ()
    assert look(books, now=NOW + timedelta(hours=4)).wrong == (
        "2026-11-21T14:12:00Z is loaded since 2026-11-21T15:30Z and not merged",
        "2026-11-21T14:14:00Z is landed since 2026-11-21T15:30Z and not merged",
    )


CHANGES = {
    "a row of history is gone": (
        "DELETE FROM {d}.domains_history WHERE feed_minute = {first} AND feed_line = 3",
        ("2026-11-21T14:10:00Z has 3 lines, 1 history rows and 1 rejected",),
    ),
    "a row of history is there twice": (
        "INSERT INTO {d}.domains_history SELECT * FROM {d}.domains_history WHERE feed_minute = {second}",
        ("2026-11-21T14:11:00Z has 2 history rows for 1 lines", "the view has 3 rows for 2 ids"),
    ),
    "the ledger has lost a minute": (
        "DELETE FROM {d}.minutes WHERE minute = {second}",
        ("2026-11-21T14:11:00Z is unknown to the ledger and has 1 history rows",),
    ),
    "the ledger has never heard of the merge": (
        "DELETE FROM {d}.minutes WHERE event = 'merged' AND minute = {second}",
        ("2026-11-21T14:11:00Z is loaded and has 1 history rows",),
    ),
    "the ledger counted another number": (
        "UPDATE {d}.minutes SET `rows` = 7 WHERE event = 'merged' AND minute = {first}",
        ("2026-11-21T14:10:00Z has 2 history rows, and 7 by the ledger",),
    ),
    "a current row is gone": (
        "DELETE FROM {d}.domains_current WHERE id = 'b'",
        ("1 ids of history have no current row", "1 ids do not show their newest version"),
    ),
    "a current row is there twice": (
        "INSERT INTO {d}.domains_current SELECT * FROM {d}.domains_current WHERE id = 'b'",
        ("the view has 3 rows for 2 ids",),
    ),
    "a current row shows an older version": (
        "UPDATE {d}.domains_current SET feed_line = 1, last_analysis_date = TIMESTAMP_SECONDS(1) WHERE id = 'a'",
        ("1 ids do not show their newest version",),
    ),
}


def change_books(books: Warehouse, sql: str) -> None:
    """Run a statement with {d} for the dataset, {first} and {second} for the minutes."""
    written = (f"TIMESTAMP '{minute:%Y-%m-%d %H:%M}:00 UTC'" for minute in (FIRST, SECOND))
    books.run(sql.format(d=books.dataset, **dict(zip(("first", "second"), written, strict=True))))


@pytest.mark.parametrize("change", CHANGES)
def test_every_disagreement_is_found(books: Warehouse, change: str) -> None:
    """With its minute and its figures."""
    sql, wrong = CHANGES[change]
    change_books(books, sql)
    assert look(books).wrong == wrong


def test_a_load_that_lost_a_line_is_found_before_its_merge(books: Warehouse) -> None:
    """Staging and rejects must hold the package as soon as the ledger says that it is loaded."""
    bring_in(books, THIRD, domain("c"), domain("d"))
    books.run(f"DELETE FROM {books.dataset}.domains_staging WHERE id = 'c'")  # noqa: S608
    assert look(books).wrong == ("2026-11-21T14:12:00Z has 2 lines, 1 in staging and 0 rejected",)


def test_since_bounds_what_is_looked_at(books: Warehouse) -> None:
    """An older mismatch stays out of sight; older versions of ids seen since count as before."""
    books.run(f"DELETE FROM {books.dataset}.domains_history WHERE id = 'b'")  # noqa: S608
    assert look(books).wrong
    found = look(books, since=SECOND)
    assert found.wrong == ()
    assert "2 minutes since 2026-11-21T14:11:00Z, 1 merged, 1 absent" in found.summary()


def test_only_a_deep_audit_looks_into_objects(books: Warehouse) -> None:
    """What needs them is left out of the cheap one."""
    sql, _ = CHANGES["a current row shows an older version"]
    change_books(books, sql)
    assert look(books, deep=False).wrong == ()


def test_minutes_whose_history_has_expired_are_no_mismatch(own_warehouse: Warehouse) -> None:
    """The audit begins where history does."""
    books = kept(own_warehouse)
    books.provision(history_expiry_days=8)
    books.run(f"TRUNCATE TABLE {books.dataset}.domains_history")
    assert look(books).wrong
    later = look(books, now=NOW + timedelta(days=8))
    assert (later.wrong, later.since) == ((), utc(0, 0) + timedelta(days=1))
