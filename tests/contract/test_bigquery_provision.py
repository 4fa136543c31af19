"""Provisioning creates what is missing, changes what differs in place, and drops nothing."""

from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest
from google.api_core.exceptions import Forbidden
from google.cloud import bigquery

from shared.contracts.outcomes import Misconfigured, Retryable
from shared.feeds.definition import Feed, Headline
from shared.gcp.storage import StorageBucket, storage_client
from shared.warehouse.provision import provision, provision_table
from shared.warehouse.tables import LEDGER, Table, feed_tables
from tests.support.landed import domain
from tests.support.warehouse import DOMAINS, Warehouse, utc

VIEWS = ["wrote domains_current", "wrote domains", "wrote domains_between", "wrote minute_status"]


def grown() -> Feed:
    """Return the feed with one more headline column."""
    column = Headline(name="whois", type="STRING", path="attributes.whois", description="Registration record.")
    return DOMAINS.model_copy(update={"headline": (*DOMAINS.headline, column)})


@pytest.mark.parametrize("declared", [LEDGER, *feed_tables(DOMAINS)], ids=lambda table: table.name)
def test_tables_are_as_declared(warehouse: Warehouse, declared: Table) -> None:
    """Tables have the declared columns, types, modes, descriptions, partitions and clusters."""
    table = warehouse.client.get_table(f"{warehouse.dataset}.{declared.name}")
    assert table.description == declared.description
    assert [(field.name, field.field_type, field.mode, field.description) for field in table.schema] == [
        (column.name, column.type, column.mode, column.description) for column in declared.columns
    ]
    partition = table.time_partitioning and (table.time_partitioning.field, table.time_partitioning.type_)
    assert partition == (declared.partition and (declared.partition.column, declared.partition.by))
    assert table.clustering_fields == (list(declared.cluster) or None)


def test_a_second_time_only_the_views_are_written(warehouse: Warehouse) -> None:
    """A second run keeps tables and their rows, and writes only the views."""
    warehouse.load(warehouse.land(utc(14, 10), domain("a")))
    assert warehouse.provision() == VIEWS
    assert warehouse.read("domains_staging", "id") == [("a",)]


def test_a_new_headline_column_is_added_in_place(own_warehouse: Warehouse) -> None:
    """A new column is empty for existing rows and filled for new ones; view and table function have it at once."""
    own_warehouse.load(own_warehouse.land(utc(14, 10), domain("a", analysed=1, whois="old"), domain("b", analysed=1)))
    own_warehouse.merge()
    done = own_warehouse.provision(grown())
    assert {f"added column whois to table domains_{table}" for table in ("recent", "base")} <= set(done)
    assert own_warehouse.provision(grown()) == VIEWS
    assert own_warehouse.read("domains", "id, whois") == [("a", None), ("b", None)]
    with_column = Warehouse(own_warehouse.endpoints, own_warehouse.client, own_warehouse.dataset, grown())
    with_column.load(with_column.land(utc(14, 11), domain("b", analysed=2, whois="new")))
    with_column.merge()
    assert own_warehouse.read("domains", "id, whois") == [("a", None), ("b", "new")]


def test_a_column_that_the_feed_has_lost_stays(own_warehouse: Warehouse) -> None:
    """A column that is no longer declared keeps its data; the merge stops filling it."""
    own_warehouse.provision(grown())
    assert own_warehouse.provision() == VIEWS
    names = [field.name for field in own_warehouse.client.get_table(f"{own_warehouse.dataset}.domains_recent").schema]
    assert names[-1] == "whois"
    own_warehouse.load(own_warehouse.land(utc(14, 10), domain("a", analysed=1, whois="x")))
    own_warehouse.merge()
    assert own_warehouse.read("domains_recent", "id, whois") == [("a", None)]


@pytest.mark.parametrize("rows", [0, 2])
def test_the_fence_gets_its_one_row_back(own_warehouse: Warehouse, rows: int) -> None:
    """With the generation of base; without one a merge refuses to run, and says what to do."""
    own_warehouse.load(own_warehouse.land(utc(14, 10), domain("a")))
    own_warehouse.merge()
    own_warehouse.fold()
    d, fence = own_warehouse.dataset, own_warehouse.read("domains_fence", "generation")
    if rows:
        own_warehouse.run(f"INSERT INTO {d}.domains_fence SELECT * FROM {d}.domains_fence")  # noqa: S608
    else:
        own_warehouse.run(f"DELETE FROM {d}.domains_fence WHERE TRUE")  # noqa: S608
        own_warehouse.load(own_warehouse.land(utc(14, 11), domain("a")))
        with pytest.raises(Retryable, match="domains_fence has no row; run `gti-mesh provision`"):
            own_warehouse.merge()
        assert len(own_warehouse.read("domains_staging", "id")) == 1
    assert "wrote the row of domains_fence" in own_warehouse.provision()
    assert own_warehouse.read("domains_fence", "generation") == fence
    assert own_warehouse.provision() == VIEWS
    own_warehouse.merge()


def test_a_feed_with_the_table_of_an_earlier_version_gets_no_fence(own_warehouse: Warehouse) -> None:
    """Nothing is merged before its rows have moved, and a line says how."""
    for name, kind in (("domains_current", "VIEW"), ("domains_fence", "TABLE")):
        own_warehouse.run(f"DROP {kind} {own_warehouse.dataset}.{name}")
    d = own_warehouse.dataset
    own_warehouse.run(f"CREATE TABLE {d}.domains_current AS SELECT * FROM {d}.domains_base")  # noqa: S608
    done = own_warehouse.provision()
    assert done[0] == "domains_current is of an earlier version; run `gti-mesh migrate current domains`"
    assert done[1:] == ["wrote minute_status"]
    own_warehouse.load(own_warehouse.land(utc(14, 10), domain("a")))
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        own_warehouse.merge()


def test_a_ledger_of_the_first_release_gains_the_type_of_error(own_warehouse: Warehouse) -> None:
    """The column is added at the end, the view has it, and older rows get the type of their reason."""
    first = replace(LEDGER, columns=tuple(column for column in LEDGER.columns if column.name != "error_type"))
    own_warehouse.client.delete_table(f"{own_warehouse.dataset}.{LEDGER.name}")
    assert list(provision_table(own_warehouse.client, own_warehouse.dataset, first)) == ["created table minutes"]
    own_warehouse.run(
        f"INSERT INTO {own_warehouse.dataset}.minutes (feed, minute, event, reason, `at`) VALUES "  # noqa: S608
        "('domains', TIMESTAMP '2026-11-21 10:50:00+00', 'dead', 'source changed: a has landed', CURRENT_TIMESTAMP())"
    )
    assert "added column error_type to table minutes" in own_warehouse.provision()
    [state] = own_warehouse.ledger.states("domains", utc(10, 50), utc(10, 50))
    assert (state.state, state.error_type) == ("dead", "source_changed")
    assert own_warehouse.read("minute_status", "reason, error_type") == [("source changed: a has landed", None)]


def test_historys_expiry_is_what_the_setting_says(own_warehouse: Warehouse) -> None:
    """History's expiration is set, changed and removed as the setting says."""
    for days in (30, 60, None):
        assert (
            own_warehouse.provision(history_expiry_days=days)[0] == "changed table domains_history: time_partitioning"
        )
        table = own_warehouse.client.get_table(f"{own_warehouse.dataset}.domains_history")
        assert table.time_partitioning
        assert table.time_partitioning.expiration_ms == (days * 86_400_000 if days else None)


def test_a_missing_bucket_is_created_once(warehouse: Warehouse) -> None:
    """Provisioning creates a missing bucket once."""
    bucket = f"bucket-{uuid4().hex}"
    storage = storage_client(warehouse.endpoints.project, warehouse.endpoints.storage)
    for expected in (f"created bucket {bucket}", "wrote minute_status"):
        done = provision(
            warehouse=warehouse.client, storage=storage, bucket=bucket, dataset=warehouse.dataset, feeds=[]
        )
        assert done[0] == expected
    assert StorageBucket(bucket, storage).create("x", b"")


def test_a_merge_without_its_tables_says_what_to_do(warehouse: Warehouse) -> None:
    """A merge before provisioning raises an error that says how to make the tables."""
    nowhere = Warehouse(warehouse.endpoints, warehouse.client, "no_such_dataset")
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        nowhere.merge()


class _MayNotMakeDatasets:
    """A client whose account has rights on one dataset and none on the project."""

    def __init__(self, client: bigquery.Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def create_dataset(self, *_: object, **__: object) -> None:
        """Refuse, as BigQuery does before it checks whether the dataset exists."""
        raise Forbidden("Access Denied: no bigquery.datasets.create permission")  # type: ignore[no-untyped-call]


def test_a_dataset_that_is_there_needs_no_right_to_make_one(warehouse: Warehouse) -> None:
    """Provisioning does not create an existing dataset.

    In the cloud Terraform makes it, and the job has no right to.
    """
    modest = replace(warehouse, client=cast("bigquery.Client", _MayNotMakeDatasets(warehouse.client)))
    assert modest.provision() == VIEWS
