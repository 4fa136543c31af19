"""The BigQuery emulator as a process: `python -m infra.local.bigquery STATE_FOLDER REST_PORT GRPC_PORT`."""

import os
import sys
from importlib import resources
from pathlib import Path

import duckdb
from bqemulator import server
from bqemulator.catalog.models import SnapshotMeta
from bqemulator.config import LogFormat, LogLevel, PersistenceMode, Settings
from bqemulator.storage.engine import DuckDBEngine
from bqemulator.versioning.snapshots import SnapshotManager

from infra.local.bigquery_jobs import keep_the_rules_of_load_jobs
from infra.local.bigquery_transactions import put_back_what_was_cut_off, record_transactions
from infra.local.dry_runs import run_nothing_in_dry_runs
from infra.local.json_fields import read_json_fields
from infra.local.query_errors import answer_failed_queries_with_their_error
from infra.local.sql_once import leave_views_to_the_database, parse_each_text_once, use_generators_again
from infra.local.state import StateFolder
from infra.local.tcp_ports import HOST

_MACROS = Path(__file__).with_name("bigquery_macros.sql")


class NoTimeTravel(SnapshotManager):
    """Disable automatic snapshots."""

    def capture(self, project_id: str, dataset_id: str, table_id: str, *, kind: str = "AUTO") -> SnapshotMeta | None:
        """Copy a table only when a user asked for a snapshot of it.

        The emulator copies the whole table after every load, insert and statement, and has no option to disable this: a
        day of feed minutes would copy the growing history 1,440 times.
        """
        if kind == "AUTO":
            return None
        return super().capture(project_id, dataset_id, table_id, kind=kind)


class OneThread(DuckDBEngine):
    """DuckDB on one thread, with the macros used by translated queries.

    To extract thirty columns from JSON it holds 2,048 parsed lines thirty times: 1.5 GB for lines of 4 KB. Each thread
    does the same, so a laptop with eight processors would run out of memory.
    """

    async def start(self) -> None:
        """Open the database, and undo the transactions that the last process did not end."""
        await super().start()
        self.connection.execute("SET threads = 1")
        self.connection.execute(_MACROS.read_text(encoding="utf-8"))
        put_back_what_was_cut_off(self.connection)


def link_spatial_extension() -> None:
    """Link DuckDB's spatial extension, which the emulator requires, to its place under HOME.

    Linking the file in the wheel takes no time; installing it copies 80 MB. Without either, DuckDB downloads it.
    """
    with duckdb.connect() as connection:
        row = connection.execute("SELECT library_version, platform FROM pragma_version(), pragma_platform()").fetchone()
    version, platform = row or ("", "")
    packaged = resources.files("duckdb_extension_spatial") / "extensions" / version / "spatial.duckdb_extension"
    link = Path.home() / ".duckdb" / "extensions" / version / platform / "spatial.duckdb_extension"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(str(packaged))


def settings(state: StateFolder, rest_port: int, grpc_port: int) -> Settings:
    """Return the emulator's settings: data kept in the folder, nothing sent or fetched over a network."""
    return Settings(
        rest_host=HOST,
        rest_port=rest_port,
        grpc_host=HOST,
        grpc_port=grpc_port,
        persistence_mode=PersistenceMode.PERSISTENT,
        data_dir=state.warehouse,
        gcs_local_root=state.storage,
        upload_staging_dir=state.warehouse / "uploads",
        default_project_id=os.environ["GCP_PROJECT"],
        # The avro extension would be downloaded.
        enable_format_extensions=False,
        tracing_enabled=False,
        otlp_endpoint=None,
        log_level=LogLevel.WARNING,
        log_format=LogFormat.CONSOLE,
    )


def main() -> None:
    """Run the emulator until stopped; closing DuckDB at the end writes the checkpoint."""
    folder, rest_port, grpc_port = sys.argv[1:]
    link_spatial_extension()
    parse_each_text_once()
    use_generators_again()
    leave_views_to_the_database()
    run_nothing_in_dry_runs()
    read_json_fields()
    answer_failed_queries_with_their_error()
    keep_the_rules_of_load_jobs()
    record_transactions()
    server.SnapshotManager = NoTimeTravel  # type: ignore[attr-defined]
    server.DuckDBEngine = OneThread  # type: ignore[attr-defined]
    server.run_forever(settings(StateFolder(Path(folder)), int(rest_port), int(grpc_port)))


if __name__ == "__main__":
    main()
