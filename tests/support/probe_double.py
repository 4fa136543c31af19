"""BigQuery as the doctor asks it, with answers that are set."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from infra.doctor.probe import LoadRefused, Row, Run


class ProbeDouble:
    """A BigQuery with a set behaviour; results are found by a part of the query's text."""

    dataset = "p1.scratch"
    location: str | None = "EU"

    def __init__(self, rows: Mapping[str, list[Row]], *, bytes_of: Mapping[str, int], refuses: str = "") -> None:
        self.rows, self.bytes_of, self.refuses = rows, bytes_of, refuses
        self.done: list[str] = []

    def run(self, sql: str) -> list[Row]:
        """Return the rows for the first text that the statement holds."""
        self.done.append(sql)
        return next((rows for text, rows in self.rows.items() if text in sql), [])

    def dry_run(self, sql: str) -> int:
        """Return the bytes for the first text that the statement holds."""
        return next(size for text, size in self.bytes_of.items() if text in sql)

    billed = dry_run

    def load(self, table: str, lines: bytes) -> None:
        """Take or refuse lines."""
        self.done.append(f"load {table} {lines.decode()}")
        if self.refuses:
            raise LoadRefused(self.refuses)

    @contextmanager
    def session(self) -> Iterator[Run]:
        """Open a session."""
        yield self.run
