"""`make bench-view`: queries of `<feed>_current`, a view of base and recent, beside one table with the same rows.

Base has 100,000 ids, and recent a tenth as many rows, of which 28 % are newer versions of ids in base (docs/cost.md).
Readings of table and view take turns, so that a busy machine slows down both.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

from benchmarks.section import write_section
from benchmarks.volumes import SEEN_BEFORE
from infra.local.mesh import LocalMesh
from infra.topology import Topology
from shared.feeds.definition import Headline, find_feed
from tests.support.warehouse import Warehouse, provisioned

IDS = 100_000
FEED = find_feed("domains")
MAX_RATIO = 2.0
TABLE = "one_table"

QUERIES: Mapping[str, str] = {
    "the number of ids": "SELECT COUNT(*) AS n FROM {table}",
    "all columns of one id": "SELECT * FROM {table} WHERE id = 'domain77777.example'",
    "an average for each of 200 groups": (
        "SELECT tld, COUNT(*) AS n, AVG(gti_score) AS score FROM {table} WHERE malicious > 5 GROUP BY tld"
    ),
    "three columns of the 700 ids with some values": (
        "SELECT id, gti_verdict, registrar FROM {table} WHERE malicious > 18 AND gti_verdict = 'VERDICT_MALICIOUS'"
    ),
    "the number of ids since a minute": (
        "SELECT COUNT(*) AS n FROM {table} WHERE feed_minute >= TIMESTAMP '2026-11-19 00:00:00+00'"
    ),
    "all columns of all ids, as JSON": "SELECT SUM(LENGTH(TO_JSON_STRING(one))) AS n FROM {table} AS one",
}
_STRINGS = {
    "gti_verdict": "IF(MOD(number, 7) = 0, 'VERDICT_MALICIOUS', 'VERDICT_UNDETECTED')",
    "tld": "CONCAT('tld', CAST(MOD(number, 200) AS STRING))",
}


def fill(warehouse: Warehouse, table: str, added: str, first: int, rows: int, later: int) -> None:
    """Insert a version of each of some ids; `later` is the number of minutes by which it is later than the earliest."""
    columns = {
        "id": "CONCAT('domain', CAST(number AS STRING), '.example')",
        "feed_minute": (
            f"TIMESTAMP_ADD(TIMESTAMP '2026-11-10 00:00:00+00', INTERVAL MOD(number, 14000) + {later} MINUTE)"
        ),
        "feed_line": "number",
        added: "TIMESTAMP '2026-11-20 00:00:00+00'",
        **{column.name: _value(column, later) for column in FEED.headline},
    }
    warehouse.run(
        f"INSERT INTO {warehouse.dataset}.{table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} "  # noqa: S608
        f"FROM UNNEST(GENERATE_ARRAY({first}, {first + rows - 1})) AS number",
        seconds=600,
    )


def _value(column: Headline, later: int) -> str:
    if column.name == FEED.version[0]:
        return f"TIMESTAMP_SECONDS(1700000000 + number * 7 + {later})"
    kinds = {
        "TIMESTAMP": "TIMESTAMP_SECONDS(1600000000 + number * 11)",
        "INT64": f"MOD(number * 31 + {later}, 20)",
        "ARRAY<STRING>": "['dga', CONCAT('tag', CAST(MOD(number, 50) AS STRING))]",
        "STRING": "CONCAT('value', CAST(MOD(number, 5000) AS STRING))",
    }
    return _STRINGS.get(column.name, kinds[column.type])


def prepare(warehouse: Warehouse, ids: int = IDS) -> None:
    """Fill base and recent, and copy the view's rows into a table."""
    recent = ids // 10
    fill(warehouse, f"{FEED.name}_base", "folded_at", 1, ids, 0)
    fill(warehouse, f"{FEED.name}_recent", "merged_at", ids + 1 - round(recent * SEEN_BEFORE), recent, 100)
    dataset = warehouse.dataset
    warehouse.run(f"CREATE TABLE {dataset}.{TABLE} AS SELECT * FROM {dataset}.{FEED.name}_current", seconds=600)  # noqa: S608


def measured(warehouse: Warehouse, query: str, times: int) -> tuple[float, float]:
    """Return the median seconds of a query of the table, and of the view."""
    took: dict[str, list[float]] = {TABLE: [], f"{FEED.name}_current": []}
    for _ in range(times):
        for name, seconds in took.items():
            began = time.perf_counter()
            warehouse.run(query.format(table=f"{warehouse.dataset}.{name}"), seconds=600)
            seconds.append(time.perf_counter() - began)
    table, view = map(median, took.values())
    return table, view


def lines(warehouse: Warehouse, times: int) -> Iterator[tuple[str, float]]:
    """Yield a line of the page for each query, and how many times as long the view takes."""
    for title, query in QUERIES.items():
        table, view = measured(warehouse, query, times)
        yield f"| {title} | {1000 * table:.0f} | {1000 * view:.0f} | {view / table:.2f} |", view / table


def main() -> int:
    """Measure, print, write the section into the page, and return whether the criterion is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, help="docs/performance.md: the figures are written there")
    parser.add_argument("--times", type=int, default=15, help="readings of each")
    options = parser.parse_args()
    nothing = Topology(services={}, topics={}, subscriptions={}, schedules={})
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalMesh(state=Path(folder) / "state", topology=nothing, schedules=False) as running,
        provisioned(running.endpoints) as warehouse,
    ):
        prepare(warehouse)
        found = list(lines(warehouse, options.times))
    table = ["| query | one table, ms | view, ms | times |", "|---|---:|---:|---:|", *(line for line, _ in found)]
    sys.stdout.write("\n".join(table) + "\n")
    if options.page:
        write_section(options.page, "view", table)
    return 0 if all(ratio <= MAX_RATIO for _, ratio in found) else 1


if __name__ == "__main__":
    sys.exit(main())
