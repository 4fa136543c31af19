"""Transactions of the BigQuery emulator that survive its death: all of one, or nothing.

The emulator copies each table before the first change and puts the copies back when a script fails. When its process is
killed in the middle of a script, they are not put back, and half a transaction stays. So the copies are recorded in
the database, and those still on record at the next start are put back.
"""

from typing import Any

import duckdb
from bqemulator.scripting.interpreter import ScriptInterpreter

_JOURNAL = "_gti_mesh_transactions"


def record_transactions(kind: type[ScriptInterpreter] = ScriptInterpreter) -> None:
    """Make a script interpreter record the copies that its transactions make."""
    copy, commit, restore = (
        kind._snapshot_dml_targets,  # noqa: SLF001 (the emulator has no hook)
        kind._drop_txn_snapshots,  # noqa: SLF001
        kind._restore_txn_snapshots,  # noqa: SLF001
    )

    async def copy_and_record(self: Any, sql: str) -> None:
        known = set(self._active_txn or ())
        await copy(self, sql)
        for target, kept in (self._active_txn or {}).items():
            if target not in known:
                self._ctx.engine.execute(f"INSERT INTO {_JOURNAL} VALUES (?, ?)", [target, kept])  # noqa: S608

    async def clear_and_commit(self: Any) -> None:
        clear(self)
        await commit(self)

    async def restore_and_clear(self: Any) -> None:
        copies = dict(self._active_txn or {})
        await restore(self)
        clear(self, copies)

    def clear(self: Any, copies: dict[str, str] | None = None) -> None:
        # One statement, which is the moment of the commit.
        kept = list((copies or self._active_txn or {}).values())
        if kept:
            self._ctx.engine.execute(f"DELETE FROM {_JOURNAL} WHERE list_contains(?, copy)", [kept])  # noqa: S608

    kind._snapshot_dml_targets = copy_and_record  # type: ignore[method-assign] # noqa: SLF001
    kind._drop_txn_snapshots = clear_and_commit  # type: ignore[method-assign] # noqa: SLF001
    kind._restore_txn_snapshots = restore_and_clear  # type: ignore[method-assign] # noqa: SLF001


def put_back_what_was_cut_off(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """Undo the transactions that the last process did not end; return the tables that were put back."""
    connection.execute(f"CREATE TABLE IF NOT EXISTS {_JOURNAL} (target VARCHAR, copy VARCHAR)")
    open_copies = connection.execute(
        f"SELECT target, copy FROM {_JOURNAL} WHERE copy IN (SELECT table_name FROM duckdb_tables())"  # noqa: S608
    ).fetchall()
    for target, kept in open_copies:
        connection.execute(
            f'BEGIN; DELETE FROM {target}; INSERT INTO {target} SELECT * FROM "{kept}"; DROP TABLE "{kept}"; COMMIT'  # noqa: S608
        )
    connection.execute(f"DELETE FROM {_JOURNAL}")  # noqa: S608
    return [target for target, _ in open_copies]
