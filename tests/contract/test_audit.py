"""The audit finds every mismatch of package, rejects, staging, history and ledger, and nothing else."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.cloud.bigquery import Client, QueryJob, QueryJobConfig

from shared.contracts.interfaces import LedgerRow
from shared.contracts.minutes import format_minute
from shared.operations.audit import Audit, audit
from shared.operations.audit_bytes import bytes_to_read
from shared.operations.findings import Finding
from shared.operations.mesh import Mesh
from shared.operations.open_dead_letters import unhandled_dead_letters
from shared.operations.planner_state import PlanState, PlanStateStore
from tests.support.landed import Object, domain
from tests.support.operations import mesh_of
from tests.support.warehouse import Warehouse, utc

FIRST, SECOND, THIRD = utc(14, 10), utc(14, 11), utc(14, 12)
RECENT = utc(14, 9)
NOW = utc(15, 30)


def bring_in(warehouse: Warehouse, minute: datetime, *lines: Object | None) -> None:
    """Land and load a minute, with the loader's ledger events."""
    landed = warehouse.land(minute, *lines)
    warehouse.load(landed)
    row = LedgerRow("loaded", NOW, "domains", minute, lines=landed.lines, rejected=landed.rejected)
    warehouse.ledger.record([row])


@pytest.fixture
def books(warehouse: Warehouse) -> Warehouse:
    """Return a warehouse: two merged minutes in base, one of them with a reject, one in recent, one absent."""
    return with_accounts(warehouse)


def with_accounts(warehouse: Warehouse) -> Warehouse:
    """Return the accounts of four minutes."""
    bring_in(warehouse, FIRST, domain("a", analysed=1), None, domain("b", analysed=1))
    bring_in(warehouse, SECOND, domain("a", analysed=2))
    warehouse.merge()
    warehouse.fold()
    bring_in(warehouse, RECENT, domain("e"))
    warehouse.merge()
    warehouse.ledger.record([LedgerRow("absent", NOW, "domains", utc(14, 13))])
    return warehouse


def look(books: Warehouse, *, since: datetime | None = None, deep: bool = True, now: datetime = NOW) -> Audit:
    """Audit the one feed."""
    [found] = audit(mesh_of(books), since, deep=deep, now=now)
    return found


def test_books_that_balance_have_no_mismatch(books: Warehouse) -> None:
    """Balanced accounts have no mismatch, and the summary has their figures."""
    found = look(books)
    assert found.wrong == ()
    assert found.summary() == (
        "domains: 4 minutes, 3 merged, 1 absent, 0 dead, 0 on their way; "
        "5 lines, 4 history rows, 1 rejected; no mismatch"
    )


class Recorder:
    """A BigQuery client that remembers the statements of its jobs; the others are those of dry runs."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.ran: set[str] = set()
        self.estimated: set[str] = set()

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def query(self, sql: str, job_config: QueryJobConfig, **given: Any) -> QueryJob:
        """Begin a job."""
        (self.estimated if job_config.dry_run else self.ran).add(sql)
        return self._client.query(sql, job_config=job_config, **given)


@pytest.fixture
def planned(books: Warehouse) -> Iterator[Mesh]:
    """Return the mesh of these accounts, with a planner's state."""
    mesh = mesh_of(books)
    PlanStateStore(mesh.bucket).save("domains", PlanState(first=FIRST, watermark=THIRD), 0)
    yield mesh
    mesh.bucket.delete("state/planner/domains.json")


@pytest.mark.parametrize("deep", [False, True])
def test_every_query_is_estimated_before(planned: Mesh, deep: bool) -> None:
    """The bytes that are shown before an audit are those of all its queries."""
    mesh = planned
    recorder = Recorder(mesh.warehouse)
    mesh.__dict__["warehouse"] = recorder
    bytes_to_read(mesh, None, deep=deep, now=NOW)
    assert recorder.ran == set()
    assert [found.feed for found in audit(mesh, None, deep=deep, now=NOW)] == ["domains"]
    unhandled_dead_letters(mesh, NOW)
    assert len(recorder.ran) >= 6
    assert recorder.ran <= recorder.estimated


def test_what_is_on_its_way_is_no_mismatch_until_it_is_overdue(books: Warehouse) -> None:
    """A landed, loaded or replayed minute in progress is no mismatch until it is overdue."""
    books.ledger.record([LedgerRow("landed", NOW, "domains", utc(14, 14), lines=5, rejected=0)])
    bring_in(books, THIRD, domain("c"), None)
    bring_in(books, FIRST, domain("a", analysed=1), None, domain("b", analysed=1))
    assert look(books).wrong == ()
    assert look(books, now=NOW + timedelta(hours=4)).wrong == (
        "2026-11-21T14:12:00Z is loaded since 2026-11-21T15:30Z and not merged",
        "2026-11-21T14:14:00Z is landed since 2026-11-21T15:30Z and not merged",
    )


FOLD = "gti-mesh fold domains"
B_IS_LOST = f"{FIRST:%Y-%m-%dT%H:%M:00Z} id b is in history and has no current row"
A_IS_OLD = f"{SECOND:%Y-%m-%dT%H:%M:00Z} id a does not show its newest version"
# What is changed in the tables of newest versions, what is said of it, and the remedy of the last.
CHANGES = {
    "a newest version is gone": (
        "DELETE FROM {d}.domains_base WHERE id = 'b'",
        (B_IS_LOST, f"{FIRST:%Y-%m-%dT%H:%M:00Z} id b does not show its newest version"),
        "gti-mesh replay domains 2026-11-21T14:10Z 2026-11-21T14:10Z --replace",
    ),
    "a newest version is there twice": (
        "INSERT INTO {d}.domains_base SELECT * FROM {d}.domains_base WHERE id = 'b'",
        ("2026-11-21T14:10:00Z id b has several current rows", "base has 3 rows for 2 ids"),
        FOLD,
    ),
    "an older version is shown": (
        (
            "UPDATE {d}.domains_base SET feed_minute = {first}, feed_line = 1,"
            " last_analysis_date = TIMESTAMP_SECONDS(1) WHERE id = 'a'"
        ),
        (A_IS_OLD,),
        "gti-mesh replay domains 2026-11-21T14:11Z 2026-11-21T14:11Z --replace",
    ),
    "base has two generations": (
        "UPDATE {d}.domains_base SET folded_at = TIMESTAMP_SUB(folded_at, INTERVAL 1 HOUR) WHERE id = 'b'",
        ("base has 2 generations",),
        FOLD,
    ),
    "the fence has another generation": (
        "UPDATE {d}.domains_fence SET generation = TIMESTAMP_SECONDS(0) WHERE TRUE",
        ("base has generation {hour}, the fence 1970-01-01T00:00:00Z",),
        FOLD,
    ),
    "base is empty": (
        "DELETE FROM {d}.domains_base WHERE TRUE",
        (
            f"{B_IS_LOST} (and so on: 2 ids)",
            "2026-11-21T14:11:00Z id a is in history and has no current row (and so on: 2 ids)",
            "2026-11-21T14:10:00Z id b does not show its newest version (and so on: 2 ids)",
            f"{A_IS_OLD} (and so on: 2 ids)",
            "base has generation none, the fence {hour}",
        ),
        FOLD,
    ),
    "the fence has no row": (
        "DELETE FROM {d}.domains_fence WHERE TRUE",
        ("the fence has 0 rows and must have 1",),
        "gti-mesh provision",
    ),
    "the fence has two rows": (
        "INSERT INTO {d}.domains_fence SELECT * FROM {d}.domains_fence",
        ("the fence has 2 rows and must have 1",),
        "gti-mesh provision",
    ),
    "rows were merged in the future": (
        "UPDATE {d}.domains_recent SET merged_at = TIMESTAMP_ADD(merged_at, INTERVAL 2 HOUR) WHERE TRUE",
        ("1 rows of recent were merged in the future",),
        f"{FOLD} --all",
    ),
}


def change_books(books: Warehouse, sql: str) -> None:
    """Run a statement with {d} for the dataset, {first} and {second} for the minutes."""
    written = (f"TIMESTAMP '{minute:%Y-%m-%d %H:%M}:00 UTC'" for minute in (FIRST, SECOND))
    books.run(sql.format(d=books.dataset, **dict(zip(("first", "second"), written, strict=True))))


@pytest.mark.parametrize("change", CHANGES)
def test_every_disagreement_is_found(books: Warehouse, change: str) -> None:
    """Every mismatch is reported with its minute or id, its figures and the command that repairs it."""
    sql, wrong, remedy = CHANGES[change]
    [(generation,)] = books.read("domains_base", "MAX(folded_at)")
    change_books(books, sql)
    findings = look(books).findings
    books.provision()
    assert [one.what for one in findings] == [line.format(hour=format_minute(generation)) for line in wrong]
    assert findings[-1].remedy == remedy


def test_a_load_that_lost_a_line_is_found_before_its_merge(books: Warehouse) -> None:
    """A load that lost a line is found before its merge: staging and rejects must hold the loaded package."""
    bring_in(books, THIRD, domain("c"), domain("d"))
    books.run(f"DELETE FROM {books.dataset}.domains_staging WHERE id = 'c'")  # noqa: S608
    assert look(books).wrong == ("2026-11-21T14:12:00Z has 2 lines, 1 in staging and 0 rejected",)


def test_a_feed_that_is_switched_off_is_audited_while_it_has_tables(books: Warehouse) -> None:
    """What is wrong with it is named, and what waits in its staging."""
    assert [found.wrong for found in audit(mesh_of(books, ()), None, deep=False, now=NOW)] == [()]
    bring_in(books, THIRD, domain("c"), domain("d"))
    books.run(f"DELETE FROM {books.dataset}.domains_history WHERE id = 'b'")  # noqa: S608
    [found] = audit(mesh_of(books, ()), None, deep=False, now=NOW)
    assert found.summary().startswith("domains (switched off): 5 minutes, 3 merged, 1 absent, 0 dead, 1 on their way;")
    assert [one.what for one in found.findings if "switched off" in one.what] == [
        "domains is switched off, and 2 rows wait in its staging",
        "domains is switched off, and 1 minutes are not finished, the first 2026-11-21T14:12:00Z",
    ]
    remedies = {one.what: one.remedy for one in found.findings}
    assert [remedies[one] for one in found.wrong if "switched off" in one] == [
        "add domains to FEEDS until it is merged"
    ] * 2
    assert remedies["2026-11-21T14:10:00Z has 3 lines, 1 history rows and 1 rejected"] == (
        "add domains to FEEDS, then gti-mesh replay domains 2026-11-21T14:10Z 2026-11-21T14:10Z"
    )


def test_since_bounds_what_is_looked_at(books: Warehouse) -> None:
    """With a start time older mismatches are ignored; older versions of ids seen since still count."""
    books.run(f"DELETE FROM {books.dataset}.domains_history WHERE id = 'b'")  # noqa: S608
    assert look(books).wrong
    found = look(books, since=SECOND)
    assert found.wrong == ()
    assert "2 minutes since 2026-11-21T14:11:00Z, 1 merged, 1 absent" in found.summary()


def test_only_a_deep_audit_looks_into_objects(books: Warehouse) -> None:
    """Only a deep audit reads objects."""
    sql, *_ = CHANGES["an older version is shown"]
    change_books(books, sql)
    assert look(books, deep=False).wrong == ()


def test_minutes_whose_history_has_expired_are_no_mismatch(own_warehouse: Warehouse) -> None:
    """Minutes whose history has expired are no mismatch: the audit begins where history does."""
    books = with_accounts(own_warehouse)
    books.provision(history_expiry_days=8)
    books.run(f"TRUNCATE TABLE {books.dataset}.domains_history")
    assert look(books).wrong
    later = look(books, now=NOW + timedelta(days=8))
    assert (later.wrong, later.since) == ((), utc(0, 0) + timedelta(days=1))


def test_a_table_of_an_earlier_version_is_named(own_warehouse: Warehouse) -> None:
    """A table of an earlier version is reported with the command that moves its rows; new tables are not queried."""
    for name, kind in (("domains_current", "VIEW"), ("domains_fence", "TABLE")):
        own_warehouse.run(f"DROP {kind} {own_warehouse.dataset}.{name}")
    d = own_warehouse.dataset
    own_warehouse.run(f"CREATE TABLE {d}.domains_current AS SELECT * FROM {d}.domains_base")  # noqa: S608
    own_warehouse.provision()
    [found] = look(own_warehouse).findings
    assert found == Finding("domains_current is of an earlier version", "gti-mesh migrate current domains")
