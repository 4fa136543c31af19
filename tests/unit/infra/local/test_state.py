"""The state folder: who may use it, and what it keeps."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.endpoints import Endpoints, read_endpoints
from infra.local.state import StateFolder
from shared.contracts.outcomes import Misconfigured

HOLD = """
import sys
from pathlib import Path
from infra.local.state import StateFolder
with StateFolder(Path(sys.argv[1])).claimed(fresh=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def endpoints() -> Endpoints:
    """Return the endpoints of some mesh."""
    return Endpoints(
        project="p",
        bucket="b",
        dataset="d",
        pubsub="127.0.0.1:1",
        storage="http://127.0.0.1:2",
        bigquery="http://127.0.0.1:3",
        services={"planner": "http://127.0.0.1:4"},
    )


def test_folder_held_by_another_process_is_refused_with_its_pid(tmp_path: Path) -> None:
    """The error names the holder; once the holder has ended, even by a crash, the folder is free."""
    state = StateFolder(tmp_path / "state")
    command = [sys.executable, "-c", HOLD, str(state.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:  # noqa: S603 (this test's own)
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(Misconfigured, match=rf"in use by process {holder.pid}; "), state.claimed(fresh=True):
            pass
        holder.kill()
    with state.claimed(fresh=False):
        assert state.logs.is_dir()


def test_folder_with_other_content_is_never_emptied(tmp_path: Path) -> None:
    """A mistake such as `--state ~` must not delete anything."""
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / "precious").write_text("x", encoding="utf-8")
    with (
        pytest.raises(Misconfigured, match="is not empty and not a state folder"),
        StateFolder(tmp_path).claimed(fresh=True),
    ):
        pass
    assert (tmp_path / "storage" / "precious").exists()


def test_claim_keeps_data_and_drops_logs_and_old_endpoints(tmp_path: Path) -> None:
    """Objects and tables are kept between runs; leftovers of a killed mesh have no effect."""
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        (state.storage / "object").write_text("x", encoding="utf-8")
        state.log("planner").write_text("old", encoding="utf-8")
        endpoints().write(state.path)
        assert read_endpoints(state.path) == endpoints()
    with state.claimed(fresh=False):
        assert (state.storage / "object").exists()
        assert not state.log("planner").exists()
        assert read_endpoints(state.path) is None


def test_endpoints_that_a_power_cut_left_behind_belong_to_no_mesh(tmp_path: Path) -> None:
    """What runs holds the lock; and a look at the lock does not keep a mesh from starting."""
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        pass
    endpoints().write(state.path)
    assert read_endpoints(state.path) is None
    with state.claimed(fresh=False):
        endpoints().write(state.path)
        assert read_endpoints(state.path) == endpoints()


def test_fresh_claim_empties_the_folder(tmp_path: Path) -> None:
    """A demo starts with an empty folder."""
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        (state.storage / "object").write_text("x", encoding="utf-8")
        (state.warehouse / "bqemulator.duckdb").write_text("x", encoding="utf-8")
    with state.claimed(fresh=True):
        assert list(state.storage.iterdir()) == list(state.warehouse.iterdir()) == []


def test_endpoints_are_read_back_as_written_without_empty_keys(tmp_path: Path) -> None:
    """The file has no keys without a value."""
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        endpoints().write(state.path)
        assert read_endpoints(state.path) == endpoints()
    assert "secops" not in state.endpoints.read_text(encoding="utf-8")


def test_endpoints_keep_what_a_newer_mesh_adds(tmp_path: Path) -> None:
    """An unknown key does not break older readers."""
    text = endpoints().model_dump_json(exclude_none=True)
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        state.endpoints.write_text(text.replace("{", '{"status_page": "http://x", ', 1), encoding="utf-8")
        found = read_endpoints(state.path)
    assert found
    assert found.model_extra == {"status_page": "http://x"}


def test_broken_endpoints_file_is_refused_by_name(tmp_path: Path) -> None:
    """The error names the broken file."""
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        state.endpoints.write_text("{}", encoding="utf-8")
        with pytest.raises(Misconfigured, match=r"endpoints\.json cannot be read: Field required"):
            read_endpoints(state.path)


def test_environment_leads_every_client_to_the_mesh() -> None:
    """Google's variables have the emulators' addresses, and no proxy is used."""
    environment = endpoints().environment()
    assert environment["PUBSUB_EMULATOR_HOST"] == "127.0.0.1:1"
    assert environment["STORAGE_EMULATOR_HOST"] == "http://127.0.0.1:2"
    assert environment["BIGQUERY_EMULATOR_HOST"] == "http://127.0.0.1:3"
    assert environment["NO_PROXY"] == "127.0.0.1,localhost"
    assert "VT_API_URL" not in environment
