"""The warehouse's tables as values: columns, partitions and clusters, from which BigQuery's are made and checked.

Two sizes decide the shapes. BigQuery bills a MERGE that updates for its whole target, so `<feed>_current` is narrow
and `<feed>_history`, the archive, is only ever inserted into. And a table takes 1,500 load jobs a day but 30,000 when
it is partitioned by a column (cloud.google.com/bigquery/quotas), so staging is partitioned.
"""

from dataclasses import dataclass
from typing import Literal

from shared.feeds.definition import Feed

Mode = Literal["REQUIRED", "NULLABLE", "REPEATED"]
Granularity = Literal["HOUR", "DAY"]


@dataclass(frozen=True)
class Column:
    """A column: its name, its BigQuery type, and what it means."""

    name: str
    type: str
    description: str
    mode: Mode = "NULLABLE"


@dataclass(frozen=True)
class Partition:
    """A partition by a TIMESTAMP column; expiry_days None keeps partitions for ever."""

    column: str
    by: Granularity
    expiry_days: int | None = None


@dataclass(frozen=True)
class Table:
    """A table of the warehouse."""

    name: str
    description: str
    columns: tuple[Column, ...]
    partition: Partition | None = None
    cluster: tuple[str, ...] = ()


OBSERVATION = (
    Column("feed_minute", "TIMESTAMP", "Minute of the feed package that holds the line (UTC).", "REQUIRED"),
    Column("feed_line", "INT64", "Line number within the package, from 1.", "REQUIRED"),
    Column("id", "STRING", "Identifier of the object at VirusTotal.", "REQUIRED"),
    Column("object", "JSON", "The line as VirusTotal wrote it.", "REQUIRED"),
)

LEDGER = Table(
    name="minutes",
    description="The ledger: every event in the life of every feed minute. Only loader and merger append to it.",
    columns=(
        Column("feed", "STRING", "Feed, or NULL for a dead letter that names none."),
        Column("minute", "TIMESTAMP", "Minute of the feed (UTC), or NULL for a dead letter that names none."),
        Column("event", "STRING", "landed, loaded, merged, absent or dead.", "REQUIRED"),
        Column("lines", "INT64", "Lines in the package, rejected ones included."),
        Column("rejected", "INT64", "Lines of the package that were kept as rejects and never reach history."),
        Column("bytes", "INT64", "Size of the decompressed package."),
        Column("rows", "INT64", "Rows of the minute in history, counted in the transaction that merged it."),
        Column("uri", "STRING", "Where the minute's lines lie in Cloud Storage."),
        Column("job_id", "STRING", "The load job that brought the lines into staging."),
        Column("reason", "STRING", "Why a message was dead-lettered."),
        Column("source", "STRING", "Subscription that gave a message up."),
        Column("attempts", "INT64", "Deliveries before a message was given up."),
        Column("message_id", "STRING", "Pub/Sub message that was given up."),
        Column("at", "TIMESTAMP", "When it happened (UTC).", "REQUIRED"),
    ),
    partition=Partition("minute", "DAY"),
    cluster=("feed",),
)


def staging(feed: Feed) -> Table:
    """Return the table that load jobs append to; it never expires, or a replay of an old minute would vanish."""
    return Table(
        name=f"{feed.name}_staging",
        description=f"Lines of {feed.name} that are loaded and not yet merged; the merger empties it.",
        columns=OBSERVATION,
        partition=Partition("feed_minute", "HOUR"),
    )


def history(feed: Feed, expiry_days: int | None = None) -> Table:
    """Return the archive: every observation, once."""
    return Table(
        name=f"{feed.name}_history",
        description=f"{feed.description} Every observation, once; keyed by feed_minute and feed_line.",
        columns=OBSERVATION,
        partition=Partition("feed_minute", "DAY", expiry_days),
        cluster=("id",),
    )


def current(feed: Feed) -> Table:
    """Return the narrow table of newest versions: typed headline columns, and where the full object is."""
    return Table(
        name=f"{feed.name}_current",
        description=f"{feed.description} One row per id: its newest version, and where history keeps the full object.",
        columns=(
            Column("id", "STRING", "Identifier of the object at VirusTotal.", "REQUIRED"),
            Column("feed_minute", "TIMESTAMP", "Minute of the package that held the newest version (UTC).", "REQUIRED"),
            Column("feed_line", "INT64", "Line of that package.", "REQUIRED"),
            *(headline_columns(feed)),
        ),
        cluster=("id",),
    )


def headline_columns(feed: Feed) -> tuple[Column, ...]:
    """Return the feed's headline columns; they are NULLABLE, so that a new one can join in place."""
    return tuple(
        Column(column.name, "STRING", column.description, "REPEATED")
        if column.type == "ARRAY<STRING>"
        else Column(column.name, column.type, column.description)
        for column in feed.headline
    )


def feed_tables(feed: Feed, history_expiry_days: int | None = None) -> tuple[Table, ...]:
    """Return the three tables of a feed."""
    return staging(feed), history(feed, history_expiry_days), current(feed)
