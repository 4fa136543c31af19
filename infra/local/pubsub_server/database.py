"""The SQLite file that holds everything."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

_SCHEMA = Path(__file__).with_name("schema.sql")
# With WAL and synchronous=NORMAL a commit is a write without an fsync: what is committed survives the end of the
# process, kill -9 included, and the file is never corrupt. Only a power failure can take the last commits, and with
# them goes everything else on this machine that they were about.
_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16000;"


class Database:
    """One connection, used by one thread at a time: SQLite has one writer anyway."""

    def __init__(self, file: Path) -> None:
        self.lock = RLock()
        self._connection = sqlite3.connect(file, check_same_thread=False)
        self._connection.executescript(_PRAGMAS + _SCHEMA.read_text(encoding="utf-8"))

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside, or nothing of it; transactions are not nested."""
        with self.lock, self._connection:
            yield self._connection

    def close(self) -> None:
        """Write the log back into the file."""
        with self.lock:
            self._connection.close()
