"""A predecessor's wide table moves into the mesh, however often, while the mesh goes on."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.local.endpoints import Endpoints
from services.console.audit import audit
from tests.console import mesh_of
from tests.landed import domain
from tests.warehouse import Warehouse, provisioned, utc

REPOSITORY = Path(__file__).parents[2]
SCRIPT = (REPOSITORY / "infra/migrate/wide_table.sql").read_text(encoding="utf-8")
COMPARISON = re.findall(r"```sql\n(.*?)```", (REPOSITORY / "docs/migrate.md").read_text(encoding="utf-8"), re.DOTALL)[1]
DATES = (
    *("creation_date", "expiration_date", "last_modification_date", "last_analysis_date"),
    *("last_dns_records_date", "last_https_certificate_date"),
)
ATTRIBUTES = (
    f"STRUCT<tld STRING, tags ARRAY<STRING>, popularity_ranks JSON, {', '.join(f'{name} TIMESTAMP' for name in DATES)},"
    " last_analysis_stats STRUCT<harmless INT64, malicious INT64>>"
)
RELATIONSHIPS = "STRUCT<urls STRUCT<data ARRAY<STRUCT<type STRING, id STRING>>>>"
COLUMNS = f"id STRING, attributes {ATTRIBUTES}, relationships {RELATIONSHIPS}, ingestion_timestamp TIMESTAMP"
# id, tld, seconds of the analysis, engines that detect, number
ROWS = (
    ("old.example", "example", 100, 7, 1),
    ("known.example", "old", 50, 1, 2),
    ("twice.example", "first", 50, 1, 3),
    ("twice.example", "second", 60, 2, 4),
    ("bare.example", None, None, None, 5),
    (None, None, None, None, 6),
)


def named(sql: str, dataset: str) -> str:
    """Put a dataset's name in place of those in the script."""
    return sql.replace("vt_feeds.", f"{dataset}.").replace("predecessor.", f"{dataset}.")


def literal(value: object) -> str:
    """Return a value as SQL."""
    return "NULL" if value is None else repr(value)


def wide_row(name: object, tld: object, seen: object, bad: object, number: object) -> str:
    """Return an INSERT's SELECT of one row of the wide table."""
    moment = f"TIMESTAMP_SECONDS({literal(seen)})"
    dates = ", ".join(f"{moment} AS {date}" for date in DATES)
    ranks = 'JSON \'{"x": {"rank": 5}}\''
    return (
        f"SELECT {literal(name)},"
        f" STRUCT({literal(tld)} AS tld, ['a', 'b'] AS tags, {ranks} AS popularity_ranks, {dates},"
        f" STRUCT(80 AS harmless, {literal(bad)} AS malicious) AS last_analysis_stats),"
        f" STRUCT(STRUCT([STRUCT('url' AS type, 'u-1' AS id)] AS data) AS urls), TIMESTAMP_SECONDS({number})"
    )


@pytest.fixture
def moving(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return a warehouse that has merged a newer version of one id, and the snapshot of a wide table."""
    with provisioned(emulators) as warehouse:
        warehouse.run(f"CREATE TABLE {warehouse.dataset}.domains_snapshot ({COLUMNS})")
        for row in ROWS:
            warehouse.run(f"INSERT INTO {warehouse.dataset}.domains_snapshot {wide_row(*row)}")
        warehouse.load(warehouse.land(utc(14, 10), domain("known.example", analysed=70, tld="new")))
        warehouse.merge()
        yield warehouse


def move(moving: Warehouse, script: str = SCRIPT) -> None:
    """Run the script, and the merge after it."""
    moving.run(named(script, moving.dataset))
    moving.merge()


def test_every_row_moves_once(moving: Warehouse) -> None:
    """A second run changes nothing, what the mesh knows better stays, and the accounts hold."""
    for _ in range(2):
        move(moving)
        shown = moving.read("domains", "id, tld, malicious, last_analysis_date, popularity_rank, tags")
        at = [datetime.fromtimestamp(second, UTC) for second in (70, 100, 60)]
        assert shown == [
            ("bare.example", None, None, None, 5, ["a", "b"]),
            ("known.example", "new", None, at[0], None, []),
            ("old.example", "example", 7, at[1], 5, ["a", "b"]),
            ("twice.example", "second", 2, at[2], 5, ["a", "b"]),
        ]
        assert len(moving.read("domains_history", "id, feed_minute")) == 5
        assert moving.run(named(COMPARISON, moving.dataset)) == [{"not_moved": 0}]
        [found] = audit(mesh_of(moving), None, deep=True, now=utc(15, 0))
        assert [wrong for wrong in found.wrong if "T14:10" not in wrong] == []


def test_dates_are_epoch_seconds_as_at_the_source(moving: Warehouse) -> None:
    """And what the old table did not know is left out."""
    move(moving)
    [moved] = [row for row in moving.read("domains_history", "id, object") if row[0] == "old.example"]
    assert {moved[1]["attributes"][date] for date in DATES} == {100}
    assert moved[1]["relationships"] == {"urls": {"data": [{"type": "url", "id": "u-1"}]}}
    [bare] = [row for row in moving.read("domains_history", "id, object") if row[0] == "bare.example"]
    assert set(bare[1]["attributes"]) == {"tags", "popularity_ranks", "last_analysis_stats"}


def test_slices_are_the_whole(moving: Warehouse) -> None:
    """Two halves, one after the other, put every row where one run would."""
    half = "DECLARE {} INT64 DEFAULT {};".format
    for first, last in ((0, 700), (701, 1439)):
        part = SCRIPT.replace(half("first_slice", 0), half("first_slice", first))
        move(moving, part.replace(half("last_slice", 1439), half("last_slice", last)))
    halves = moving.read("domains_history", "feed_minute, feed_line, id")
    move(moving)
    assert moving.read("domains_history", "feed_minute, feed_line, id") == halves
