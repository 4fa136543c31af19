"""When a local mesh ends in any way, no process remains, and its state is kept."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import psutil
import pytest
import requests

from infra.endpoints import Endpoints, read_endpoints
from infra.local.mesh import LocalMesh
from infra.local.process import ProcessFailed
from infra.topology import Topology
from shared.contracts.outcomes import Misconfigured
from tests.mesh.recording_topology import recording_topology
from tests.support.paths import REPOSITORY
from tests.support.waiting import PATIENCE, wait_until

EMULATORS = Topology(services={}, topics={}, subscriptions={}, schedules={})


class Program:
    """A program that runs a mesh."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._output = (state.parent / "output").open("w+", encoding="utf-8")
        self._popen = subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-m", "tests.mesh.run_mesh", str(state)],
            cwd=REPOSITORY,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        wait_until((state / "endpoints.json").exists, "a running mesh")
        self.processes = psutil.Process(self._popen.pid).children(recursive=True)

    def send(self, number: int) -> None:
        """Send a signal to the program alone."""
        os.kill(self._popen.pid, number)

    def part(self, *words: str) -> psutil.Process:
        """Return the first process whose command line contains these words."""
        return next(one for one in self.processes if set(words) <= set(one.cmdline()))

    def exit_code(self) -> int:
        """Wait for the end of the program."""
        return self._popen.wait(timeout=PATIENCE)

    def output(self) -> str:
        """Return what the program wrote."""
        self._output.seek(0)
        return self._output.read()

    def close(self) -> None:
        """Clean up when a test failed."""
        self._popen.kill()
        self._popen.wait()
        self._output.close()


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    """A program that runs a mesh of fake services with its schedules."""
    running = Program(tmp_path / "state")
    yield running
    running.close()


def left(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Return the processes that still run, without zombies."""
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_stops_everything_in_order(program: Program, number: int) -> None:
    """SIGINT and SIGTERM both end the mesh in order, with a checkpoint of DuckDB."""
    program.send(number)
    assert program.exit_code() == 0
    assert left(program.processes) == []
    assert not (program.state / "endpoints.json").exists()
    with duckdb.connect(str(program.state / "warehouse" / "bqemulator.duckdb"), read_only=True) as warehouse:
        assert not (program.state / "warehouse" / "bqemulator.duckdb.wal").exists()
        warehouse.execute("SELECT 1")


def test_killed_mesh_leaves_no_process(program: Program) -> None:
    """After `kill -9` of the mesh itself its parts end, and it is no longer reported as running."""
    program.send(signal.SIGKILL)
    wait_until(lambda: not left(program.processes), f"the end of {program.processes}")
    assert not (program.state / "endpoints.json").exists()


def test_death_of_a_part_ends_the_whole_mesh(program: Program) -> None:
    """The program names the part that died, and ends all others."""
    program.part("--target", "handle", "infra.local.service").kill()
    assert program.exit_code() == 1
    assert left(program.processes) == []
    assert "ProcessFailed: planner ended by itself with exit code -9; the end of" in program.output()


def children() -> set[psutil.Process]:
    """Return the descendants of this process; fixtures of other tests may run some."""
    return set(psutil.Process().children(recursive=True))


def test_failed_start_leaves_no_process(tmp_path: Path) -> None:
    """When a service cannot start, the start ends with the last lines of its log, and everything else is stopped."""
    broken = tmp_path / "broken.py"
    broken.write_text("raise SystemExit('the wheel came off')\n", encoding="utf-8")
    mesh = LocalMesh(state=tmp_path / "state", topology=recording_topology(broken))
    before = children()
    with pytest.raises(ProcessFailed, match="the wheel came off"), mesh:
        pass
    assert left(children() - before) == []
    assert read_endpoints(tmp_path / "state") is None


def test_failed_provision_leaves_no_process(tmp_path: Path) -> None:
    """An exception of the caller's step is raised to the caller after everything is stopped."""

    def provision(endpoints: Endpoints) -> None:
        raise Misconfigured(f"no tables in {endpoints.dataset}")

    mesh = LocalMesh(state=tmp_path / "state", topology=EMULATORS, provision=provision)
    before = children()
    with pytest.raises(Misconfigured, match="no tables in vt_feeds"), mesh:
        pass
    assert left(children() - before) == []


def test_state_is_kept_between_runs_and_fresh_on_request(tmp_path: Path) -> None:
    """Objects and rows of one run are there in the next, once each; a fresh start has neither."""
    with LocalMesh(state=tmp_path / "state", topology=EMULATORS) as first:
        requests.post(
            f"{first.endpoints.storage}/upload/storage/v1/b/{first.endpoints.bucket}/o",
            params={"uploadType": "media", "name": "kept/one.json"},
            data=b"{}",
            timeout=PATIENCE,
        ).raise_for_status()
        query(first, "CREATE SCHEMA kept")
        query(first, "CREATE TABLE kept.numbers AS SELECT 7 AS n")
    with LocalMesh(state=tmp_path / "state", topology=EMULATORS) as second:
        assert requests.get(object_url(second), timeout=PATIENCE).json()["name"] == "kept/one.json"
        assert query(second, "SELECT n FROM kept.numbers") == [["7"]]
    assert copies(tmp_path / "state" / "warehouse" / "bqemulator.duckdb") == 0
    with LocalMesh(state=tmp_path / "state", topology=EMULATORS, fresh=True) as third:
        assert requests.get(object_url(third), timeout=PATIENCE).status_code == 404
        assert datasets(third) == []


def copies(warehouse: Path) -> int:
    """Return the number of tables that the emulator copied for time travel."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        sql = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = '_bqemulator_snapshots'"
        row = connection.execute(sql).fetchone()
    assert row
    return int(row[0])


def object_url(mesh: LocalMesh) -> str:
    """Return the address of the object that the test keeps."""
    return f"{mesh.endpoints.storage}/storage/v1/b/{mesh.endpoints.bucket}/o/kept%2Fone.json"


def datasets(mesh: LocalMesh) -> list[str]:
    """Return the names of all datasets."""
    url = f"{mesh.endpoints.bigquery}/bigquery/v2/projects/{mesh.endpoints.project}/datasets"
    found = requests.get(url, timeout=PATIENCE).json().get("datasets", [])
    return [one["datasetReference"]["datasetId"] for one in found]


def query(mesh: LocalMesh, sql: str) -> list[list[str]]:
    """Run a statement and return its rows."""
    url = f"{mesh.endpoints.bigquery}/bigquery/v2/projects/{mesh.endpoints.project}/queries"
    answer = requests.post(url, json={"query": sql, "useLegacySql": False}, timeout=PATIENCE)
    answer.raise_for_status()
    return [[cell["v"] for cell in row["f"]] for row in answer.json().get("rows", [])]


def test_mesh_runs_outside_the_main_thread(tmp_path: Path) -> None:
    """A mesh runs outside the main thread, where signals are the caller's responsibility."""
    bucket: list[str] = []

    def run() -> None:
        with LocalMesh(state=tmp_path / "state", topology=EMULATORS) as mesh:
            bucket.append(mesh.endpoints.bucket)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(timeout=PATIENCE)
    assert bucket == ["gti-mesh-landing"]
