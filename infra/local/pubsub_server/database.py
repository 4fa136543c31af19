"""The SQLite file of all state, and its statements."""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

_STATEMENT = re.compile(r"^-- name: (\w+)\n(.*?)(?=^-- name: |\Z)", re.DOTALL | re.MULTILINE)


class Transaction:
    """Runs statements of statements.sql by their names."""

    def __init__(self, connection: sqlite3.Connection, statements: Mapping[str, str]) -> None:
        self._connection, self._statements = connection, statements

    def run(self, statement: str, **values: object) -> sqlite3.Cursor:
        """Run a statement with values for its parameters."""
        return self._connection.execute(self._statements[statement], values)


class Database:
    """One connection, used by one thread at a time: SQLite has one writer anyway."""

    def __init__(self, file: Path) -> None:
        """Open or create the file; a file of an earlier version is upgraded."""
        self.lock = RLock()
        self._statements = dict(_STATEMENT.findall(_read("statements.sql")))
        self._connection = sqlite3.connect(file, check_same_thread=False)
        if self._is_of_version_0():
            self._connection.executescript(_read("upgrade.sql"))
        self._connection.executescript(_read("schema.sql"))

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Run the block in a transaction; transactions cannot be nested."""
        with self.lock, self._connection:
            yield Transaction(self._connection, self._statements)

    def close(self) -> None:
        """Write the log back into the file."""
        with self.lock:
            self._connection.close()

    def _is_of_version_0(self) -> bool:
        [version] = self._connection.execute("PRAGMA user_version").fetchone()
        tables = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'deliveries'").fetchall()
        return version == 0 and bool(tables)


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
