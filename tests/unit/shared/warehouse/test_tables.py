"""The declared tables: quotas and prices determine their layout, and changes drop nothing."""

import re

import pytest
from google.cloud.bigquery import SchemaField

from shared.feeds.definition import find_feed, known_feeds
from shared.warehouse.provision import declaration, mend, merged_schema
from shared.warehouse.tables import LEDGER, Partition, Table, feed_tables, history
from tests.support.paths import REPOSITORY

DOMAINS = find_feed("domains")
TABLES = (LEDGER, *feed_tables(DOMAINS))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_everything_is_described(table: Table) -> None:
    """Tables and columns have descriptions."""
    assert table.description
    assert all(column.description for column in table.columns)


def test_staging_is_partitioned_by_the_hour_and_never_expires() -> None:
    """Hourly partitions allow more load jobs a day; they never expire, because replays load old minutes."""
    assert feed_tables(DOMAINS, history_expiry_days=30)[0].partition == Partition("feed_minute", "HOUR", None)


def test_history_expires_only_when_asked_to() -> None:
    """A partition is a day, and expires only if configured."""
    assert history(DOMAINS).partition == Partition("feed_minute", "DAY", None)
    assert history(DOMAINS, 30).partition == Partition("feed_minute", "DAY", 30)
    partitioning = declaration("p.d", history(DOMAINS, 30)).time_partitioning
    assert partitioning
    assert partitioning.expiration_ms == 30 * 86_400_000


def test_a_table_as_declared_needs_no_change() -> None:
    """A second provisioning changes nothing."""
    for table in TABLES:
        assert not mend(declaration("p.d", table), declaration("p.d", table))


def test_expiries_that_a_dataset_passed_on_are_taken_back() -> None:
    """A dataset's default expiry would delete staged lines before the merge."""
    existing = declaration("p.d", history(DOMAINS, 30))
    assert mend(existing, declaration("p.d", history(DOMAINS))) == ["time_partitioning"]
    assert existing.time_partitioning
    assert existing.time_partitioning.expiration_ms is None


def test_new_columns_join_at_the_end_and_old_ones_stay() -> None:
    """A column that was removed from the YAML keeps its data; descriptions follow the YAML."""
    existing = [SchemaField("id", "STRING", "REQUIRED", description="old"), SchemaField("lost", "INT64")]
    declared = [SchemaField("id", "STRING", "REQUIRED", description="new"), SchemaField("tld", "STRING")]
    assert merged_schema(existing, declared) == [
        SchemaField("id", "STRING", "REQUIRED", description="new"),
        SchemaField("lost", "INT64"),
        SchemaField("tld", "STRING"),
    ]


def test_no_variable_of_a_script_has_a_columns_name() -> None:
    """In BigQuery a column hides a variable of its name, so a comparison with the variable would read the column."""
    scripts = [file for folder in ("services", "shared") for file in (REPOSITORY / folder).rglob("*.sql")]
    variables = {name for file in scripts for name in re.findall(r"^DECLARE (\w+) ", file.read_text(), re.MULTILINE)}
    tables = [LEDGER, *(table for feed in known_feeds().values() for table in feed_tables(feed))]
    columns = {column.name for table in tables for column in table.columns}
    assert {"first_hour", "fold_end"} <= variables
    assert not variables & columns
