"""Declarations of the warehouse's tables: columns, partitions and clusters.

Two limits determine the design. BigQuery bills an updating MERGE for its whole target, so the merge only inserts: into
`<feed>_history`, the archive, and into `<feed>_recent`, which a fold empties into `<feed>_base` now and then. And a
table takes 1,500 load jobs a day but 30,000 when it is partitioned by a column (cloud.google.com/bigquery/quotas), so
staging is partitioned.
"""

from dataclasses import dataclass
from typing import Literal

from shared.feeds.definition import Feed

Mode = Literal["REQUIRED", "NULLABLE", "REPEATED"]
Granularity = Literal["HOUR", "DAY"]


@dataclass(frozen=True)
class Column:
    """A column: its name, its BigQuery type and its description."""

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
    description="The ledger: every event in the life of every feed minute. Loader, merger and planner append to it.",
    columns=(
        Column("feed", "STRING", "Feed, or NULL for a dead letter that names none."),
        Column("minute", "TIMESTAMP", "Minute of the feed (UTC), or NULL for a dead letter that names none."),
        Column(
            "event",
            "STRING",
            "landed, loaded, merged, absent or dead; planned / asked / replaced while it is due",
            "REQUIRED",
        ),
        Column("lines", "INT64", "Lines in the package, rejected ones included."),
        Column("rejected", "INT64", "Lines of the package that were kept as rejects and never reach history."),
        Column("bytes", "INT64", "Size of the decompressed package."),
        Column("rows", "INT64", "Rows of the minute in history, counted in the transaction that merged it."),
        Column("uri", "STRING", "Where the minute's lines are in Cloud Storage."),
        Column("job_id", "STRING", "The load job that brought the lines into staging."),
        Column("reason", "STRING", "Why a message was dead-lettered."),
        Column("source", "STRING", "Subscription that gave a message up."),
        Column("attempts", "INT64", "Deliveries before a message was given up."),
        Column("message_id", "STRING", "Pub/Sub message that was given up."),
        Column("at", "TIMESTAMP", "When it happened (UTC).", "REQUIRED"),
        Column(
            "error_type",
            "STRING",
            "Why a message was dead-lettered, from a closed list; `reason` is the text for people.",
        ),
        Column("crc32c", "STRING", "The content: CRC32C of the decompressed package, eight hexadecimal digits."),
    ),
    partition=Partition("minute", "DAY"),
    cluster=("feed",),
)


def staging(feed: Feed) -> Table:
    """Return the table that load jobs append to; it never expires, or the replay of an old minute would be lost."""
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


def recent(feed: Feed) -> Table:
    """Return the table of newest versions as merges brought them, several per id possible; a fold empties it."""
    return _versions(
        feed,
        name=f"{feed.name}_recent",
        description=f"Newest versions of {feed.name} since the last fold, one per id and merge; merges insert them.",
        added=Column("merged_at", "TIMESTAMP", "When the merge wrote the row (UTC).", "REQUIRED"),
    )


def base(feed: Feed) -> Table:
    """Return the table of newest versions as of the last fold: one row per id, all of one generation."""
    return _versions(
        feed,
        name=f"{feed.name}_base",
        description=f"{feed.description} One row per id: its newest version as of the last fold; written by folds.",
        added=Column("folded_at", "TIMESTAMP", "Generation: the hour that names the fold (UTC).", "REQUIRED"),
    )


def _versions(feed: Feed, *, name: str, description: str, added: Column) -> Table:
    """Return a table of versions; a DELETE of whole hours of `added` is not billed."""
    return Table(
        name=name,
        description=description,
        columns=(
            Column("id", "STRING", "Identifier of the object at VirusTotal.", "REQUIRED"),
            Column("feed_minute", "TIMESTAMP", "Minute of the package that held the version (UTC).", "REQUIRED"),
            Column("feed_line", "INT64", "Line of that package.", "REQUIRED"),
            added,
            *(headline_columns(feed)),
        ),
        partition=Partition(added.name, "HOUR"),
        cluster=("id",),
    )


def fence(feed: Feed) -> Table:
    """Return the table with one row, which every merge and fold updates, so that of two at once one is cancelled."""
    return Table(
        name=f"{feed.name}_fence",
        description=f"One row that every merge and fold of {feed.name} updates first, so that two of them conflict.",
        columns=(
            Column("generation", "TIMESTAMP", "Generation of the base table; 1970 before the first fold.", "REQUIRED"),
            Column("at", "TIMESTAMP", "When the last merge or fold began (UTC).", "REQUIRED"),
        ),
    )


def headline_columns(feed: Feed) -> tuple[Column, ...]:
    """Return the feed's headline columns; they are NULLABLE, so that one can be added in place."""
    return tuple(
        Column(column.name, "STRING", column.description, "REPEATED")
        if column.type == "ARRAY<STRING>"
        else Column(column.name, column.type, column.description)
        for column in feed.headline
    )


def feed_tables(feed: Feed, history_expiry_days: int | None = None) -> tuple[Table, ...]:
    """Return the tables of a feed."""
    return staging(feed), history(feed, history_expiry_days), recent(feed), base(feed), fence(feed)
