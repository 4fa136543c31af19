"""The SQLite file that holds everything."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock


class Database:
    """One connection, used by one thread at a time: SQLite has one writer anyway."""

    def __init__(self, file: Path) -> None:
        self.lock = RLock()
        self._connection = sqlite3.connect(file, check_same_thread=False)
        self._connection.executescript(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside, or nothing of it; transactions are not nested."""
        with self.lock, self._connection:
            yield self._connection

    def close(self) -> None:
        """Write the log back into the file."""
        with self.lock:
            self._connection.close()
