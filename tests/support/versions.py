"""What the tables of versions show, in SQL and by a model, and failures inside their transactions."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from services.merger.transactions import RunSql
from shared.warehouse.tables import feed_tables
from tests.support.landed import Object
from tests.support.waiting import PATIENCE
from tests.support.warehouse import DOMAINS, Warehouse

ALL_COLUMNS = ("id", "feed_minute", "feed_line", *(column.name for column in DOMAINS.headline))
Row = tuple[Any, ...]
Key = tuple[datetime, int]
_YEAR_1, _YEAR_9999 = -62135596800, 253402300799


def shown(warehouse: Warehouse) -> list[Row]:
    """Return every column of every row of the view of newest versions."""
    return [_hashable(row) for row in warehouse.read("domains_current", ", ".join(ALL_COLUMNS))]


def oracle(warehouse: Warehouse) -> list[Row]:
    """Return the same by one window over both tables."""
    columns = ", ".join(ALL_COLUMNS)
    union = " UNION ALL ".join(
        f"SELECT {columns} FROM {warehouse.dataset}.domains_{table}"  # noqa: S608
        for table in ("base", "recent")
    )
    order = ", ".join(f"COALESCE({name}, TIMESTAMP_SECONDS(0)) DESC" for name in DOMAINS.version)
    sql = (
        f"SELECT {columns} FROM ({union}) AS observed WHERE TRUE QUALIFY ROW_NUMBER() OVER"  # noqa: S608
        f" (PARTITION BY id ORDER BY {order}, feed_minute DESC, feed_line DESC) = 1 ORDER BY id"
    )
    return [_hashable(tuple(row.values())) for row in warehouse.run(sql)]


def modelled(history: Mapping[Key, Object]) -> list[Row]:
    """Return what the view must show of these observations, computed without SQL."""
    newest: dict[str, Key] = {}
    for key, line in sorted(history.items(), key=lambda item: version(*item)):
        newest[line["id"]] = key
    return [
        (name, *key, *(_value(history[key], column.path, column.type) for column in DOMAINS.headline))
        for name, key in sorted(newest.items())
    ]


def version(key: Key, line: Object) -> tuple[datetime, datetime, datetime, int]:
    """Return what orders the versions of an id."""
    analysed, modified = (_value(line, f"attributes.{name}", "TIMESTAMP") for name in DOMAINS.version)
    epoch = datetime.fromtimestamp(0, UTC)
    return (analysed or epoch, modified or epoch, *key)


def _value(line: Object, path: str, kind: str) -> Any:
    value: Any = line
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    if kind == "ARRAY<STRING>":
        return tuple(value or ())
    if kind == "TIMESTAMP" and value is not None:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value) if _YEAR_1 <= value <= _YEAR_9999 else None
    return value


def _hashable(row: Row) -> Row:
    return tuple(tuple(value) if isinstance(value, list) else value for value in row)


def tables(warehouse: Warehouse) -> dict[str, list[str]]:
    """Return what every table of the feed, and the ledger, holds."""
    names = ["minutes", *(table.name for table in feed_tables(DOMAINS))]
    sql = f"SELECT * FROM {warehouse.dataset}."  # noqa: S608
    return {name: sorted(repr(row) for row in warehouse.run(sql + name)) for name in names}


def failing_at(warehouse: Warehouse, place: int) -> RunSql:
    """Return what runs SQL, and fails a transaction behind its statement with this number, if it has so many."""

    def run(sql: str, /, *, seconds: float) -> list[dict[str, Any]]:
        begin, found, rest = sql.partition("BEGIN TRANSACTION;\n")
        inside, commit, after = rest.partition("COMMIT TRANSACTION;")
        statements = re.split(r"(?<=;)\n", inside)
        if found and place < len(statements) - 1:
            statements.insert(place + 1, "SET fence_rows = (SELECT ERROR('injected'));")
        return warehouse.run(f"{begin}{found}" + "\n".join(statements) + f"{commit}{after}", seconds=seconds)

    return run


def deadline() -> datetime:
    """Return by when a test's transaction has ended."""
    return datetime.now(UTC) + timedelta(seconds=PATIENCE)
