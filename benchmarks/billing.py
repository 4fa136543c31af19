"""What BigQuery bills for a statement, by its documented rules, so that a merge's cost can be computed from row counts.

Sizes: cloud.google.com/bigquery/docs/reference/standard-sql/data-types#data_type_sizes.
Formulas: cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax, "on-demand query size calculation".
Minimum: cloud.google.com/bigquery/pricing: 10 MB for each table that a query references.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from benchmarks.statements import Read, Statement, read_script
from services.merger.fold import SHARE as FOLD_SHARE
from shared.feeds.definition import Feed, find_feed, known_feeds
from shared.operations.health import FOLD_MIN_ROWS
from shared.warehouse.rendering import render
from shared.warehouse.tables import LEDGER, feed_tables

MINIMUM = 10 * 1024**2
DOLLARS_PER_TIB = 6.25
_WIDTHS = {"INT64": 8, "FLOAT64": 8, "TIMESTAMP": 8, "BOOL": 1}


def size(value: object, kind: str) -> int:
    """Return how many bytes a value counts; NULL is free, an array is the sum of its elements."""
    if value is None:
        return 0
    if isinstance(value, list):
        return sum(size(element, kind) for element in value)
    if kind == "STRING":
        return 2 + len(str(value).encode())
    if kind == "JSON":
        return len(str(value).encode())
    return _WIDTHS[kind]


@dataclass(frozen=True)
class Scanned:
    """The rows that a statement reads of one table, and the bytes of a row in the columns that it names."""

    rows: float
    width: float

    @property
    def bytes(self) -> float:
        """What is billed for it: at least the minimum."""
        return max(MINIMUM, self.rows * self.width)


def query(*scanned: Scanned) -> float:
    """Bill a SELECT, an INSERT or an insert-only MERGE: q, the columns named in all tables scanned."""
    return sum(table.bytes for table in scanned)


def mutation(modified: Scanned, *scanned: Scanned) -> float:
    """Bill an UPDATE, a DELETE or a MERGE with UPDATE: q + t, t being all columns of all rows that may be modified.

    They are the whole table, or the partitions that the statement scans.
    """
    return query(*scanned) + modified.bytes


Json = Literal["whole", "paths"]
"""How BigQuery bills a JSON column of which a statement reads some paths: not documented, so both are computed."""

_NUMBER = 8


@dataclass(frozen=True)
class Widths:
    """Bytes of a row: the id, the object, a whole row of newest versions without its stamp, and the version columns."""

    id: float
    object: float
    current: float
    version: float

    @property
    def headline(self) -> float:
        """The headline columns of a row."""
        return self.current - self.id - 2 * _NUMBER

    def of(self, columns: Iterable[str], feed: Feed) -> float:
        """Return the bytes of some columns; headline columns count the same share each."""
        known = {"id": self.id, "object": self.object}
        known |= {column.name: self.headline / len(feed.headline) for column in feed.headline}
        return sum(known.get(name, _NUMBER) for name in columns)


@dataclass(frozen=True)
class Load:
    """Rows that meet in one merge: staged ones, those of the history partitions in bounds, and distinct ids.

    `fresh` are the rows that the merge inserts into recent: at most the staged ones.
    """

    staged: float
    partition: float
    current: float
    fresh: float | None = None

    @property
    def inserted(self) -> float:
        """Rows that the merge inserts into recent."""
        return self.staged if self.fresh is None else self.fresh

    @property
    def foldable(self) -> float:
        """Rows of recent when a fold is due."""
        return max(self.current / FOLD_SHARE, FOLD_MIN_ROWS)

    @property
    def merges_a_fold(self) -> float:
        """Merges from one fold to the next."""
        return self.foldable / self.inserted

    def rows(self, table: str) -> float:
        """Return the rows that a statement finds in a table, named without its feed."""
        return {
            "staging": self.staged,
            "history": self.partition,
            "base": self.current,
            "recent": self.foldable,
            "fence": 1.0,
            # Partitions of a day: what all feeds write there.
            "minutes": _EVENTS_A_MINUTE * 1440.0 * sum(feed.source != "streams" for feed in known_feeds().values()),
        }[table]


@cache
def _schemas(feed: str) -> dict[str, frozenset[str]]:
    tables = (LEDGER, *feed_tables(find_feed(feed)))
    return {table.name: frozenset(column.name for column in table.columns) for table in tables}


@cache
def _statements(feed: str, file: str) -> tuple[Statement, ...]:
    values = {"max_lines": 5_000_000, "max_hours": 2000, "keep_hours": 2}
    script = render(f"services.merger/{file}", dataset="p.d", feed=find_feed(feed), **values)
    return tuple(read_script(script, _schemas(feed)))


def billed(statement: Statement, load: Load, width: Widths, feed: str = "domains", json: Json = "whole") -> float:
    """Bill one statement: q, and t for one that changes rows, unless it deletes whole partitions and nothing else."""
    if statement.kind == "DELETE" and statement.where & _schemas(feed)[str(statement.target)] <= _PARTITIONED_BY:
        return 0.0
    scanned = [_scanned(read, statement, load, width, feed, json) for read in statement.reads if read.columns]
    if not statement.updates:
        return query(*scanned)
    columns = _schemas(feed)[str(statement.target)]
    table = Scanned(load.rows(_kind(str(statement.target), feed)), width.of(columns, find_feed(feed)))
    return mutation(table, *scanned)


# cloud.google.com/bigquery/docs/using-dml-with-partitioned-tables: such a DELETE bills nothing.
_PARTITIONED_BY = {"feed_minute", "merged_at", "folded_at"}


def _scanned(read: Read, statement: Statement, load: Load, width: Widths, feed: str, json: Json) -> Scanned:
    columns = read.columns
    into = _kind(str(statement.target), feed) if statement.target else ""
    if json == "paths" and into == "recent" and "object" in columns:
        headline = width.of(columns - {"object"}, find_feed(feed)) + width.headline
        return Scanned(load.rows(_kind(read.table, feed)), headline)
    return Scanned(load.rows(_kind(read.table, feed)), width.of(columns, find_feed(feed)))


def _kind(table: str, feed: str) -> str:
    return table.removeprefix(f"{feed}_")


_PARTS = {"history": "history", "recent": "recent", "minutes": "ledger", "staging": "delete", "fence": "fence"}


def merge_parts(load: Load, width: Widths, feed: str = "domains", json: Json = "whole") -> dict[str, float]:
    """Bill each statement of services/merger/merge.sql, when one transaction takes all of staging.

    The bounds belong to the ledger's part.
    """
    parts = dict.fromkeys(("history", "recent", "ledger", "fence", "delete"), 0.0)
    for statement in _statements(feed, "merge.sql"):
        part = _PARTS[_kind(statement.target, feed)] if statement.target else "ledger"
        parts[part] += billed(statement, load, width, feed, json)
    return parts


def fold_event(load: Load, width: Widths, feed: str = "domains") -> float:
    """Bill services/merger/fold.sql, when it is due."""
    return sum(billed(statement, load, width, feed) for statement in _statements(feed, "fold.sql"))


def ours(load: Load, width: Widths, feed: str = "domains", json: Json = "whole") -> dict[str, float]:
    """Bill a merge part by part, with its share of the next fold."""
    return {**merge_parts(load, width, feed, json), "fold": fold_event(load, width, feed) / load.merges_a_fold}


def narrow_table(load: Load, width: Widths, feed: str = "domains") -> float:
    """Bill the merge of the earlier version: the same history, and a MERGE with UPDATE of one narrow table."""
    parts = merge_parts(load, width, feed)
    staged = Scanned(load.staged, 2 * _NUMBER + width.id + width.object)
    known = Scanned(load.current, width.id + width.version + 2 * _NUMBER)
    current = mutation(Scanned(load.current, width.current), staged, known)
    return parts["history"] + current + parts["ledger"]


def wide_table(load: Load, width: Widths) -> float:
    """Bill the MERGE with UPDATE of one wide table: whole objects, one row per id, no partition that it could prune."""
    row = width.id + width.object
    return mutation(Scanned(load.current, row), Scanned(load.staged, row), Scanned(load.current, width.id))


# A minute lands, is loaded and is merged; of each row a sweep reads feed, minute, event, lines and time, and of the few
# dead ones the reason.
_EVENTS_A_MINUTE = 3
_LEDGER_ROW = size("file_behaviours", "STRING") + size("merged", "STRING") + 3 * 8
_DAYS_SERVED = 8


def sweep(days: float, feeds: int, minutes_a_day: int = 1440) -> tuple[float, float]:
    """Bill one look of a sweep at one feed in a ledger of so many days: the whole ledger, and the days it needs.

    The second is shared/warehouse/minute_states.sql, whose conditions stand below its windows: BigQuery then reads the
    partitions of seven days and a part of an eighth. Blocks that the cluster by feed lets it pass over are counted too.
    """
    rows = _EVENTS_A_MINUTE * minutes_a_day * feeds
    return tuple(query(Scanned(rows * read, _LEDGER_ROW)) for read in (days, min(days, _DAYS_SERVED)))  # type: ignore[return-value]


@dataclass(frozen=True)
class Bill:
    """What one merge of one feed bills at one depth of the archive, in bytes, and the emulator's times."""

    feed: str
    days: int
    load: Load
    widths: Widths
    seconds: float
    fold_seconds: float

    @property
    def parts(self) -> dict[str, float]:
        """Our merge, part by part; JSON billed whole."""
        return ours(self.load, self.widths, self.feed)

    @property
    def ours(self) -> float:
        """Our merge in total, with its share of the next fold."""
        return sum(self.parts.values())

    @property
    def by_paths(self) -> float:
        """The same if BigQuery bills the paths of JSON that are read."""
        return sum(ours(self.load, self.widths, self.feed, "paths").values())

    @property
    def fold(self) -> float:
        """One fold."""
        return fold_event(self.load, self.widths, self.feed)

    @property
    def narrow(self) -> float:
        """The merge of the earlier version."""
        return narrow_table(self.load, self.widths, self.feed)

    @property
    def wide(self) -> float:
        """The merge into one wide table."""
        return wide_table(self.load, self.widths)

    @property
    def ratio(self) -> float:
        """How many times the wide table costs what ours does."""
        return self.wide / self.ours


def dollars_a_month(merges: Iterable[float], merges_a_day: int = 48) -> float:
    """Return a month of 30 days at list price, on demand."""
    return sum(merges) * merges_a_day * 30 / 1024**4 * DOLLARS_PER_TIB
