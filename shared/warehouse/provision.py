"""Create missing and update differing resources: bucket, dataset, tables, views. Nothing is ever dropped.

Idempotent: a second run only rewrites the views. A new headline column of a feed's YAML is added in place, NULL until
newer versions arrive; a removed one stays. A feed whose `<feed>_current` is still the table of an earlier version gets
no fence, so that nothing is merged before `gti-mesh migrate current` has moved its rows.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from google.api_core.exceptions import Conflict, NotFound
from google.cloud import bigquery, storage

from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import Feed
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors, run_query, schema_fields
from shared.warehouse.rendering import render
from shared.warehouse.tables import LEDGER, Table, base, feed_tables, fence

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
    """Provision all storage of the mesh; return one line per change.

    Raises Misconfigured, before anything is changed, if history would expire before landed objects do.
    """
    feeds = tuple(feeds)
    done = list(_provision_bucket(storage, bucket, location, history_expiry_days))
    with bigquery_errors():
        done += _provision_dataset(warehouse, dataset, location)
        done += provision_table(warehouse, dataset, LEDGER)
        for feed in feeds:
            done += provision_feed(warehouse, dataset, feed, history_expiry_days)
        done += _write_views(warehouse, [minute_status(f"{warehouse.project}.{dataset}")])
    return done


def provision_feed(
    client: bigquery.Client, dataset: str, feed: Feed, history_expiry_days: int | None = None, *, moved: bool = False
) -> Iterator[str]:
    """Provision the tables and views of one feed; `moved` says that an open move is complete.

    While one is open, there is no fence, and the views stay as the earlier version has left them.
    """
    unmoved = not moved and move_is_open(client, dataset, feed)
    for table in feed_tables(feed, history_expiry_days):
        if not (unmoved and table == fence(feed)):
            yield from provision_table(client, dataset, table)
    if unmoved:
        yield how_to_move(feed)
        return
    yield from _write_views(client, feed_views(f"{client.project}.{dataset}", feed))
    # Last: merges begin with this row.
    yield from _provision_fence_row(client, dataset, feed)


def move_is_open(client: bigquery.Client, dataset: str, feed: Feed) -> bool:
    """Return whether rows of an earlier version's table have still to move, or the move was interrupted."""
    return current_is_a_table(client, dataset, feed) or (
        not _exists(client, dataset, fence(feed)) and _count(client, dataset, base(feed)) > 0
    )


def how_to_move(feed: Feed) -> str:
    """Return what an operator has to do about an open move."""
    return f"{feed.name}_current is of an earlier version; run `{move_command(feed)}`"


def move_command(feed: Feed) -> str:
    """Return the command that completes an open move."""
    return f"gti-mesh migrate current {feed.name}"


def _exists(client: bigquery.Client, dataset: str, table: Table) -> bool:
    with suppress(NotFound):
        client.get_table(f"{client.project}.{dataset}.{table.name}", retry=RETRY, timeout=SECONDS)
        return True
    return False


def _count(client: bigquery.Client, dataset: str, table: Table) -> int:
    if not _exists(client, dataset, table):
        return 0
    [row] = run_query(client, f"SELECT COUNT(*) AS n FROM `{client.project}.{dataset}.{table.name}`")  # noqa: S608 validated names
    return int(row["n"])


def current_is_a_table(client: bigquery.Client, dataset: str, feed: Feed) -> bool:
    """Return whether `<feed>_current` is the table of an earlier version, and not the view."""
    try:
        found = client.get_table(f"{client.project}.{dataset}.{feed.name}_current", retry=RETRY, timeout=SECONDS)
    except NotFound:
        return False
    return bool(found.table_type == "TABLE")


def _provision_fence_row(client: bigquery.Client, dataset: str, feed: Feed) -> Iterator[str]:
    if _count(client, dataset, fence(feed)) != 1:
        run_query(client, render("shared.warehouse/fence_row.sql", dataset=f"{client.project}.{dataset}", feed=feed))
        yield f"wrote the row of {fence(feed).name}"


def _write_views(client: bigquery.Client, wanted: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, sql in wanted:
        run_query(client, sql)
        yield f"wrote {name}"


def _provision_bucket(
    client: storage.Client, name: str, location: str, history_expiry_days: int | None
) -> Iterator[str]:
    if (found := client.lookup_bucket(name, timeout=SECONDS)) is not None:  # type: ignore[no-untyped-call]
        refuse_short_history(name, found.lifecycle_rules, history_expiry_days)
        return
    bucket = client.bucket(name)  # type: ignore[no-untyped-call]
    bucket.iam_configuration.uniform_bucket_level_access_enabled = True
    bucket.iam_configuration.public_access_prevention = "enforced"
    try:
        client.create_bucket(bucket, location=location, timeout=SECONDS)  # type: ignore[no-untyped-call]
    except Conflict:
        # Another caller created it first, or owns the name; in the second case later calls fail with a clear error.
        return
    yield f"created bucket {name}"


def refuse_short_history(bucket: str, rules: Iterable[Mapping[str, Any]], history_expiry_days: int | None) -> None:
    """Raise Misconfigured if the bucket's lifecycle rules keep landed minutes longer than history keeps rows.

    A replayed minute would be inserted into an expired partition and dropped. A bucket that deletes nothing is
    accepted; there the replay itself is refused.
    """
    kept = [
        int(rule["condition"]["age"])
        for rule in rules
        if rule.get("action", {}).get("type") == "Delete" and "age" in rule.get("condition", {})
    ]
    if history_expiry_days and kept and max(kept) > history_expiry_days:
        raise Misconfigured(
            f"HISTORY_EXPIRY_DAYS is {history_expiry_days}, and bucket {bucket} keeps landed minutes for {max(kept)} "
            f"days: those that history has dropped could not be replayed; set it to {max(kept)} or more, or make the "
            "bucket delete earlier"
        )


def _provision_dataset(client: bigquery.Client, name: str, location: str) -> Iterator[str]:
    dataset = bigquery.Dataset(f"{client.project}.{name}")
    # Checked first: a caller with read-only rights gets a 403 for creating it, not a Conflict.
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
            # One statement per column instead of the API's schema update, which the emulator does not support.
            run_query(client, render("shared.warehouse/add_column.sql", dataset=path, table=table, column=column))
            yield f"added column {column.name} to table {table.name}"


def declaration(dataset: str, table: Table) -> bigquery.Table:
    """Return a table's declaration as a BigQuery table."""
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
    """Set an existing table's properties to the declared ones; return the names of those that differed.

    This includes expiries: a dataset may have defaults that new tables inherit, and staging must keep everything.
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
    """Return the existing columns with the declared descriptions, followed by the new ones."""
    new = {field.name: field for field in declared}
    kept = [_described(field, new.pop(field.name, None)) for field in existing]
    return [*kept, *new.values()]


def _described(existing: bigquery.SchemaField, declared: bigquery.SchemaField | None) -> bigquery.SchemaField:
    if declared is None or existing.description == declared.description:
        return existing
    return bigquery.SchemaField.from_api_repr({**existing.to_api_repr(), "description": declared.description})


def minute_status(dataset: str) -> tuple[str, str]:
    """Return name and statement of the ledger's view in a dataset written `project.dataset`."""
    return "minute_status", render("shared.warehouse/minute_status.sql", dataset=dataset)


def feed_views(dataset: str, feed: Feed) -> Iterator[tuple[str, str]]:
    """Yield name and statement of a feed's views and table function, each after those that it reads."""
    yield f"{feed.name}_current", render("shared.warehouse/current_view.sql", dataset=dataset, feed=feed)
    yield feed.name, render("shared.warehouse/feed_view.sql", dataset=dataset, feed=feed)
    yield f"{feed.name}_between", render("shared.warehouse/feed_between.sql", dataset=dataset, feed=feed)


def views(dataset: str, feeds: Iterable[Feed]) -> Iterator[tuple[str, str]]:
    """Yield name and statement of every view and table function of a dataset written `project.dataset`."""
    yield minute_status(dataset)
    for feed in feeds:
        yield from feed_views(dataset, feed)
