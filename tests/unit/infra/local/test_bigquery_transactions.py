"""A transaction of the emulator is atomic, also when the emulator is killed inside it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import duckdb
import pytest
from bqemulator.scripting.interpreter import ScriptInterpreter

from infra.local.bigquery_transactions import put_back_what_was_cut_off, record_transactions


class Interpreter(ScriptInterpreter):
    """The emulator's class, of which only the copies of a transaction are used."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._ctx: Any = SimpleNamespace(engine=connection)
        self._project_id = "p"
        self._active_txn = {}


record_transactions(Interpreter)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """Return a database as after the emulator's start."""
    connection = duckdb.connect()
    connection.execute('CREATE SCHEMA "p__d"; CREATE TABLE "p__d"."t" AS SELECT 1 AS x')
    assert put_back_what_was_cut_off(connection) == []
    return connection


def change(connection: duckdb.DuckDBPyConnection) -> Interpreter:
    """Change the table twice inside a transaction."""
    interpreter = Interpreter(connection)
    for value in (2, 3):
        asyncio.run(interpreter._snapshot_dml_targets(f"UPDATE p.d.t SET x = {value} WHERE TRUE"))  # noqa: S608
        connection.execute('UPDATE "p__d"."t" SET x = ?', [value])
    return interpreter


def values(connection: duckdb.DuckDBPyConnection) -> list[tuple[int]]:
    """Return what the table holds."""
    return connection.execute('SELECT x FROM "p__d"."t"').fetchall()


def test_what_a_death_cut_off_is_undone_at_the_next_start(connection: duckdb.DuckDBPyConnection) -> None:
    """An interrupted transaction is undone at the next start, and not again at later ones."""
    change(connection)
    assert values(connection) == [(3,)]
    assert put_back_what_was_cut_off(connection) == ['"p__d"."t"']
    assert values(connection) == [(1,)]
    connection.execute('UPDATE "p__d"."t" SET x = 4')
    assert put_back_what_was_cut_off(connection) == []
    assert values(connection) == [(4,)]


def test_what_is_committed_stays(connection: duckdb.DuckDBPyConnection) -> None:
    """A committed transaction stays, also when the emulator dies before it has dropped its copies."""
    interpreter = change(connection)
    asyncio.run(interpreter._drop_txn_snapshots())
    assert put_back_what_was_cut_off(connection) == []
    assert values(connection) == [(3,)]


def test_what_failed_is_undone_once(connection: duckdb.DuckDBPyConnection) -> None:
    """A failed transaction is undone once, by the emulator; later rows are not undone."""
    interpreter = change(connection)
    asyncio.run(interpreter._restore_txn_snapshots())
    assert values(connection) == [(1,)]
    connection.execute('UPDATE "p__d"."t" SET x = 4')
    assert put_back_what_was_cut_off(connection) == []
    assert values(connection) == [(4,)]
