"""The tables as declared: shapes that quotas and prices ask for, and changes that drop nothing."""

import pytest
from google.cloud.bigquery import SchemaField

from shared.feeds.definition import find_feed
from shared.warehouse.provision import declaration, mend, merged_schema
from shared.warehouse.tables import LEDGER, Partition, Table, feed_tables, history

DOMAINS = find_feed("domains")
TABLES = (LEDGER, *feed_tables(DOMAINS))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_everything_is_described(table: Table) -> None:
    """Tables and columns alike."""
    assert table.description
    assert all(column.description for column in table.columns)


def test_staging_is_partitioned_by_the_hour_and_never_expires() -> None:
    """By the hour for the larger quota of load jobs; its partitions are old minutes whenever one is replayed."""
    assert feed_tables(DOMAINS, history_expiry_days=30)[0].partition == Partition("feed_minute", "HOUR", None)


def test_history_expires_only_when_asked_to() -> None:
    """A day is a partition."""
    assert history(DOMAINS).partition == Partition("feed_minute", "DAY", None)
    assert history(DOMAINS, 30).partition == Partition("feed_minute", "DAY", 30)
    partitioning = declaration("p.d", history(DOMAINS, 30)).time_partitioning
    assert partitioning
    assert partitioning.expiration_ms == 30 * 86_400_000


def test_a_table_as_declared_needs_no_change() -> None:
    """Provisioning twice is provisioning once."""
    for table in TABLES:
        assert not mend(declaration("p.d", table), declaration("p.d", table))


def test_expiries_that_a_dataset_passed_on_are_taken_back() -> None:
    """A dataset's default would let staged lines vanish unmerged."""
    existing = declaration("p.d", history(DOMAINS, 30))
    assert mend(existing, declaration("p.d", history(DOMAINS))) == ["time_partitioning"]
    assert existing.time_partitioning
    assert existing.time_partitioning.expiration_ms is None


def test_new_columns_join_at_the_end_and_old_ones_stay() -> None:
    """A column that the YAML has lost keeps its data; descriptions follow the YAML."""
    existing = [SchemaField("id", "STRING", "REQUIRED", description="old"), SchemaField("lost", "INT64")]
    declared = [SchemaField("id", "STRING", "REQUIRED", description="new"), SchemaField("tld", "STRING")]
    assert merged_schema(existing, declared) == [
        SchemaField("id", "STRING", "REQUIRED", description="new"),
        SchemaField("lost", "INT64"),
        SchemaField("tld", "STRING"),
    ]
