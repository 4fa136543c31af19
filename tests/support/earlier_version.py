"""A dataset as the version before recent and base left it, and its merge."""

from shared.warehouse.provision import provision_table
from shared.warehouse.rendering import render
from shared.warehouse.tables import Column, Table, headline_columns
from tests.support.warehouse import DOMAINS, Warehouse

CURRENT = Table(
    name="domains_current",
    description="One row per id: its newest version, and where history keeps the full object.",
    columns=(
        Column("id", "STRING", "Identifier of the object at VirusTotal.", "REQUIRED"),
        Column("feed_minute", "TIMESTAMP", "Minute of the package that held the newest version (UTC).", "REQUIRED"),
        Column("feed_line", "INT64", "Line of that package.", "REQUIRED"),
        *headline_columns(DOMAINS),
    ),
    cluster=("id",),
)


def go_back(warehouse: Warehouse, current: Table = CURRENT) -> None:
    """Take away what that version did not have, and make its table."""
    warehouse.run(f"DROP VIEW {warehouse.dataset}.domains_current")
    for table in ("recent", "base", "fence"):
        warehouse.run(f"DROP TABLE {warehouse.dataset}.domains_{table}")
    list(provision_table(warehouse.client, warehouse.dataset, current))


def merge_as_before(warehouse: Warehouse) -> None:
    """Merge as that version did."""
    dataset = f"{warehouse.endpoints.project}.{warehouse.dataset}"
    warehouse.run(
        render("tests.support.earlier/merge.sql", dataset=dataset, feed=DOMAINS, max_lines=1_000_000, max_hours=2000)
    )
