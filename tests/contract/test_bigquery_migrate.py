"""Rows of a predecessor's wide table move into the mesh, in any number of runs, while the mesh keeps running."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from infra.endpoints import Endpoints
from shared.operations.audit import audit
from shared.warehouse.rendering import render
from tests.support.landed import domain
from tests.support.operations import mesh_of
from tests.support.paths import REPOSITORY
from tests.support.warehouse import DOMAINS, Warehouse, provisioned, utc

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
    """Replace the script's dataset names."""
    return sql.replace("vt_feeds.", f"{dataset}.").replace("predecessor.", f"{dataset}.")


def literal(value: object) -> str:
    """Return a value as a SQL literal."""
    return "NULL" if value is None else repr(value)


def wide_row(name: object, tld: object, seen: object, bad: object, number: object) -> str:
    """Return a SELECT of one row of the wide table, for an INSERT."""
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
    """Return a warehouse that has merged a newer version of one id, and a snapshot of a wide table."""
    with provisioned(emulators) as warehouse:
        warehouse.run(f"CREATE TABLE {warehouse.dataset}.domains_snapshot ({COLUMNS})")
        for row in ROWS:
            warehouse.run(f"INSERT INTO {warehouse.dataset}.domains_snapshot {wide_row(*row)}")
        warehouse.load(warehouse.land(utc(14, 10), domain("known.example", analysed=70, tld="new")))
        warehouse.merge()
        yield warehouse


def move(moving: Warehouse, script: str = SCRIPT) -> None:
    """Run the script."""
    moving.run(named(script, moving.dataset))


def test_every_row_moves_once(moving: Warehouse) -> None:
    """A second run changes nothing, newer versions in the mesh stay, and the accounts balance."""
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
    """Dates become epoch seconds as at the source; fields that the old table did not have are left out."""
    move(moving)
    [moved] = [row for row in moving.read("domains_history", "id, object") if row[0] == "old.example"]
    assert {moved[1]["attributes"][date] for date in DATES} == {100}
    assert moved[1]["relationships"] == {"urls": {"data": [{"type": "url", "id": "u-1"}]}}
    [bare] = [row for row in moving.read("domains_history", "id, object") if row[0] == "bare.example"]
    assert set(bare[1]["attributes"]) == {"tags", "popularity_ranks", "last_analysis_stats"}


def test_slices_are_the_whole(moving: Warehouse) -> None:
    """Two runs over half of the table each give the same rows as one run."""
    half = "DECLARE {} INT64 DEFAULT {};".format
    for first, last in ((0, 700), (701, 1439)):
        part = SCRIPT.replace(half("first_slice", 0), half("first_slice", first))
        move(moving, part.replace(half("last_slice", 1439), half("last_slice", last)))
    halves = moving.read("domains_history", "feed_minute, feed_line, id")
    move(moving)
    assert moving.read("domains_history", "feed_minute, feed_line, id") == halves


def test_the_rows_go_into_base_directly(moving: Warehouse) -> None:
    """Nothing is staged; base has one generation, and the newer version of an id is in base or in recent."""
    move(moving)
    assert not moving.read("domains_staging", "id")
    assert len(moving.read("domains_base", "id")) == 4
    assert moving.read("domains_fence", "generation") == moving.read("domains_base", "DISTINCT folded_at")
    moving.fold()
    move(moving)
    assert ("known.example", "new") in moving.read("domains_base", "id, tld")


def test_headline_columns_are_those_of_the_merge() -> None:
    """The script computes each column exactly as merges do."""
    merge = render("services.merger/merge.sql", dataset="p.d", feed=DOMAINS, max_lines=1, max_hours=1)
    columns = merge.partition("    feed_line,\n")[2].partition("\n  FROM (")[0]
    assert " AS tags" in columns
    assert " ".join(columns.split()) in " ".join(SCRIPT.split())
