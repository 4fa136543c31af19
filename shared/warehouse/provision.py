"""Make what is missing and mend what differs: bucket, dataset, tables, views. Nothing is ever dropped.

Idempotent: a second run finds nothing to do but to write the views anew. A headline column that a feed's YAML has
gained is added in place, empty until newer versions arrive; one that the YAML has lost stays.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from google.api_core.exceptions import Conflict, NotFound
from google.cloud import bigquery, storage

from shared.feeds.definition import Feed
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors, run_query, schema_fields
from shared.warehouse.rendering import render
from shared.warehouse.tables import LEDGER, Table, feed_tables

_DAY_MS = 24 * 60 * 60 * 1000


def provision(
    *,
    warehouse: bigquery.Client,
    storage: storage.Client,
    bucket: str,
    dataset: str,
    feeds: Iterable[Feed],
    location: str = "US",
    history_expiry_days: int | None = None,
) -> list[str]:
    """Provision everything the mesh keeps data in, and return what was done, a line a thing."""
    feeds = tuple(feeds)
    done = list(_provision_bucket(storage, bucket, location))
    with bigquery_errors():
        done += _provision_dataset(warehouse, dataset, location)
        for table in (LEDGER, *(table for feed in feeds for table in feed_tables(feed, history_expiry_days))):
            done += provision_table(warehouse, dataset, table)
        for name, sql in views(f"{warehouse.project}.{dataset}", feeds):
            run_query(warehouse, sql)
            done.append(f"wrote {name}")
    return done


def _provision_bucket(client: storage.Client, name: str, location: str) -> Iterator[str]:
    if client.lookup_bucket(name, timeout=SECONDS) is not None:  # type: ignore[no-untyped-call]
        return
    bucket = client.bucket(name)  # type: ignore[no-untyped-call]
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    try:
        client.create_bucket(bucket, location=location, timeout=SECONDS)  # type: ignore[no-untyped-call]
    except Conflict:
        # Somebody else was faster, or owns the name; in the second case every later call says so.
        return
    yield f"created bucket {name}"


def _provision_dataset(client: bigquery.Client, name: str, location: str) -> Iterator[str]:
    dataset = bigquery.Dataset(f"{client.project}.{name}")
    # Looked for first: who may only look gets a 403 for making it, and no Conflict.
    with suppress(NotFound):
        client.get_dataset(dataset.reference, retry=RETRY, timeout=SECONDS)
        return
    dataset.location = location
    dataset.description = "VirusTotal feeds, minute by minute, kept by gti-mesh."
    try:
        client.create_dataset(dataset, retry=RETRY, timeout=SECONDS)
    except Conflict:
        return
    yield f"created dataset {name}"


def provision_table(client: bigquery.Client, dataset: str, table: Table) -> Iterator[str]:
    """Create a table, or bring an existing one up to its declaration."""
    declared = declaration(f"{client.project}.{dataset}", table)
    try:
        existing = client.create_table(declared, retry=RETRY, timeout=SECONDS)
    except Conflict:
        yield from _add_columns(client, dataset, table)
        existing = client.get_table(declared.reference, retry=RETRY, timeout=SECONDS)
    else:
        yield f"created table {table.name}"
    if changes := mend(existing, declared):
        client.update_table(existing, changes, retry=RETRY, timeout=SECONDS)
        yield f"changed table {table.name}: {', '.join(changes)}"


def _add_columns(client: bigquery.Client, dataset: str, table: Table) -> Iterator[str]:
    path = f"{client.project}.{dataset}"
    known = {field.name for field in client.get_table(f"{path}.{table.name}", retry=RETRY, timeout=SECONDS).schema}
    for column in table.columns:
        if column.name not in known:
            # A statement a column, and not the API's schema update: the emulator knows only this way.
            run_query(client, render("shared.warehouse/add_column.sql", dataset=path, table=table, column=column))
            yield f"added column {column.name} to table {table.name}"


def declaration(dataset: str, table: Table) -> bigquery.Table:
    """Return a table's declaration in BigQuery's words."""
    declared = bigquery.Table(
        f"{dataset}.{table.name}",
        schema=schema_fields(table.columns),
    )
    declared.description = table.description
    if table.partition:
        days = table.partition.expiry_days
        declared.time_partitioning = bigquery.TimePartitioning(
            type_=table.partition.by, field=table.partition.column, expiration_ms=days * _DAY_MS if days else None
        )
    declared.clustering_fields = list(table.cluster) or None
    return declared


def mend(existing: bigquery.Table, declared: bigquery.Table) -> list[str]:
    """Change an existing table's properties into the declared ones, and name those that differed.

    Expiries count: a dataset may have default ones that new tables inherit, and staging must keep everything.
    """
    changes = []
    if (schema := merged_schema(existing.schema, declared.schema)) != list(existing.schema):
        existing.schema = schema
        changes.append("schema")
    if existing.description != declared.description:
        existing.description = declared.description
        changes.append("description")
    if existing.expires is not None:
        existing.expires = None
        changes.append("expires")
    wanted = declared.time_partitioning
    if wanted and existing.time_partitioning and existing.time_partitioning.expiration_ms != wanted.expiration_ms:
        partitioning = existing.time_partitioning
        partitioning.expiration_ms = wanted.expiration_ms
        existing.time_partitioning = partitioning
        changes.append("time_partitioning")
    return changes


def merged_schema(
    existing: Iterable[bigquery.SchemaField], declared: Iterable[bigquery.SchemaField]
) -> list[bigquery.SchemaField]:
    """Return the existing columns with the declared descriptions, and after them the declared ones that are new."""
    new = {field.name: field for field in declared}
    kept = [_described(field, new.pop(field.name, None)) for field in existing]
    return [*kept, *new.values()]


def _described(existing: bigquery.SchemaField, declared: bigquery.SchemaField | None) -> bigquery.SchemaField:
    if declared is None or existing.description == declared.description:
        return existing
    return bigquery.SchemaField.from_api_repr({**existing.to_api_repr(), "description": declared.description})


def views(dataset: str, feeds: Iterable[Feed]) -> Iterator[tuple[str, str]]:
    """Yield name and statement of every view and table function of a dataset written `project.dataset`."""
    yield "minute_status", render("shared.warehouse/minute_status.sql", dataset=dataset)
    for feed in feeds:
        yield feed.name, render("shared.warehouse/feed_view.sql", dataset=dataset, feed=feed)
        yield f"{feed.name}_between", render("shared.warehouse/feed_between.sql", dataset=dataset, feed=feed)
