"""Provisioning makes what is missing, changes in place what differs, and drops nothing."""

from dataclasses import replace
from typing import cast
from uuid import uuid4

import pytest
from google.api_core.exceptions import Forbidden
from google.cloud import bigquery

from shared.feeds.definition import Feed, Headline
from shared.gcp.storage import StorageBucket, storage_client
from shared.outcomes import Misconfigured
from shared.warehouse.provision import provision
from shared.warehouse.tables import LEDGER, Table, feed_tables
from tests.landed import domain
from tests.warehouse import DOMAINS, Warehouse, utc

VIEWS = ["wrote minute_status", "wrote domains", "wrote domains_between"]


def grown() -> Feed:
    """Return the feed with a headline column that it did not have."""
    column = Headline(name="whois", type="STRING", path="attributes.whois", description="Registration record.")
    return DOMAINS.model_copy(update={"headline": (*DOMAINS.headline, column)})


@pytest.mark.parametrize("declared", [LEDGER, *feed_tables(DOMAINS)], ids=lambda table: table.name)
def test_tables_are_as_declared(warehouse: Warehouse, declared: Table) -> None:
    """Columns, types, modes, descriptions, partitions and clusters."""
    table = warehouse.client.get_table(f"{warehouse.dataset}.{declared.name}")
    assert table.description == declared.description
    assert [(field.name, field.field_type, field.mode, field.description) for field in table.schema] == [
        (column.name, column.type, column.mode, column.description) for column in declared.columns
    ]
    partition = table.time_partitioning and (table.time_partitioning.field, table.time_partitioning.type_)
    assert partition == (declared.partition and (declared.partition.column, declared.partition.by))
    assert table.clustering_fields == (list(declared.cluster) or None)


def test_a_second_time_only_the_views_are_written(warehouse: Warehouse) -> None:
    """What is there stays, with what is in it."""
    warehouse.load(warehouse.land(utc(14, 10), domain("a")))
    assert warehouse.provision() == VIEWS
    assert warehouse.read("domains_staging", "id") == [("a",)]


def test_a_new_headline_column_is_added_in_place(own_warehouse: Warehouse) -> None:
    """Empty for what is there, filled by what comes; the view and the table function have it at once."""
    own_warehouse.load(own_warehouse.land(utc(14, 10), domain("a", analysed=1, whois="old"), domain("b", analysed=1)))
    own_warehouse.merge()
    assert own_warehouse.provision(grown())[0] == "added column whois to table domains_current"
    assert own_warehouse.provision(grown()) == VIEWS
    assert own_warehouse.read("domains", "id, whois") == [("a", None), ("b", None)]
    with_column = Warehouse(own_warehouse.endpoints, own_warehouse.client, own_warehouse.dataset, grown())
    with_column.load(with_column.land(utc(14, 11), domain("b", analysed=2, whois="new")))
    with_column.merge()
    assert own_warehouse.read("domains", "id, whois") == [("a", None), ("b", "new")]


def test_a_column_that_the_feed_has_lost_stays(own_warehouse: Warehouse) -> None:
    """Its data is the user's; the merge simply no longer fills it."""
    own_warehouse.provision(grown())
    assert own_warehouse.provision() == VIEWS
    names = [field.name for field in own_warehouse.client.get_table(f"{own_warehouse.dataset}.domains_current").schema]
    assert names[-1] == "whois"
    own_warehouse.load(own_warehouse.land(utc(14, 10), domain("a", analysed=1, whois="x")))
    own_warehouse.merge()
    assert own_warehouse.read("domains_current", "id, whois") == [("a", None)]


def test_historys_expiry_is_what_the_setting_says(own_warehouse: Warehouse) -> None:
    """Set, changed, and taken back."""
    for days in (30, 60, None):
        assert (
            own_warehouse.provision(history_expiry_days=days)[0] == "changed table domains_history: time_partitioning"
        )
        table = own_warehouse.client.get_table(f"{own_warehouse.dataset}.domains_history")
        assert table.time_partitioning
        assert table.time_partitioning.expiration_ms == (days * 86_400_000 if days else None)


def test_a_missing_bucket_is_created_once(warehouse: Warehouse) -> None:
    """Beside the dataset."""
    bucket = f"bucket-{uuid4().hex}"
    storage = storage_client(warehouse.endpoints.project, warehouse.endpoints.storage)
    for expected in (f"created bucket {bucket}", "wrote minute_status"):
        done = provision(
            warehouse=warehouse.client, storage=storage, bucket=bucket, dataset=warehouse.dataset, feeds=[]
        )
        assert done[0] == expected
    assert StorageBucket(bucket, storage).create("x", b"")


def test_a_merge_without_its_tables_says_what_to_do(warehouse: Warehouse) -> None:
    """Before anything is provisioned."""
    nowhere = Warehouse(warehouse.endpoints, warehouse.client, "no_such_dataset")
    with pytest.raises(Misconfigured, match="run `gti-mesh provision`"):
        nowhere.merge()


class _MayNotMakeDatasets:
    """A client whose account holds rights on one dataset, and none on the project."""

    def __init__(self, client: bigquery.Client) -> None:
        self._client = client

    def __getattr__(self, name: str) -> object:
        return getattr(self._client, name)

    def create_dataset(self, *_: object, **__: object) -> None:
        """Refuse, as BigQuery does before it looks whether the dataset is there."""
        raise Forbidden("Access Denied: no bigquery.datasets.create permission")  # type: ignore[no-untyped-call]


def test_a_dataset_that_is_there_needs_no_right_to_make_one(warehouse: Warehouse) -> None:
    """In the cloud Terraform makes it, and the job that provisions tables may not."""
    modest = replace(warehouse, client=cast("bigquery.Client", _MayNotMakeDatasets(warehouse.client)))
    assert modest.provision() == VIEWS
