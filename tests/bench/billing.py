"""What BigQuery bills for a statement, by its documented rules, so that a merge's cost can be computed from row counts.

Sizes: cloud.google.com/bigquery/docs/reference/standard-sql/data-types#data_type_sizes.
Formulas: cloud.google.com/bigquery/docs/reference/standard-sql/dml-syntax, "on-demand query size calculation".
Minimum: cloud.google.com/bigquery/pricing: 10 MB for each table that a query references.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Widths:
    """Bytes of a row: the id, the object, a whole current row, and the columns by which versions are compared."""

    id: float
    object: float
    current: float
    version: float


@dataclass(frozen=True)
class Load:
    """Rows that meet in one merge: staged ones, those of the history partitions in bounds, and newest versions."""

    staged: float
    partition: float
    current: float


_MINUTE, _LINE = 8, 8


def ours(load: Load, width: Widths) -> Mapping[str, float]:
    """Bill each part of services/merger/merge.sql."""
    line = _MINUTE + _LINE + width.id + width.object
    staged = Scanned(load.staged, line)
    minutes = Scanned(load.staged, _MINUTE)
    known = Scanned(load.current, width.id + width.version + _MINUTE + _LINE)
    return {
        "history": query(staged, Scanned(load.partition, _MINUTE + _LINE)),
        "current": mutation(Scanned(load.current, width.current), staged, known),
        # Three of the four bounds read feed_minute; a bare COUNT(*) reads metadata.
        "ledger": query(minutes, Scanned(load.partition, _MINUTE)) + 3 * query(minutes),
        "delete": mutation(staged, minutes),
    }


def wide_table(load: Load, width: Widths) -> float:
    """Bill the MERGE with UPDATE of one wide table: whole objects, one row per id, no partition that it could prune."""
    row = width.id + width.object
    return mutation(Scanned(load.current, row), Scanned(load.staged, row), Scanned(load.current, width.id))


@dataclass(frozen=True)
class Bill:
    """What one merge of one feed bills at one depth of the archive, in bytes, and its time on the emulator."""

    feed: str
    days: int
    load: Load
    widths: Widths
    seconds: float

    @property
    def parts(self) -> dict[str, float]:
        """Our merge, part by part."""
        return dict(ours(self.load, self.widths))

    @property
    def ours(self) -> float:
        """Our merge in total."""
        return sum(self.parts.values())

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
