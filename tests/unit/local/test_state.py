"""The state folder: who may have it, and what stays in it."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.endpoints import Endpoints, read_endpoints
from infra.local.state import StateFolder
from shared.outcomes import Misconfigured

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
    """One clear line says who has it; when the holder is gone, however it went, the folder is free."""
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
    """A slip of the pen such as `--state ~` must not delete anything."""
    (tmp_path / "storage").mkdir()
    (tmp_path / "storage" / "precious").write_text("x", encoding="utf-8")
    with (
        pytest.raises(Misconfigured, match="is not empty and no state folder"),
        StateFolder(tmp_path).claimed(fresh=True),
    ):
        pass
    assert (tmp_path / "storage" / "precious").exists()


def test_claim_keeps_data_and_drops_logs_and_old_endpoints(tmp_path: Path) -> None:
    """Objects and tables stay between runs; what a killed mesh left lying does not mislead anybody."""
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        (state.storage / "object").write_text("x", encoding="utf-8")
        state.log("planner").write_text("old", encoding="utf-8")
        endpoints().write(state.path)
    with state.claimed(fresh=False):
        assert (state.storage / "object").exists()
        assert not state.log("planner").exists()
        assert read_endpoints(state.path) is None


def test_fresh_claim_empties_the_folder(tmp_path: Path) -> None:
    """A demo starts from nothing."""
    state = StateFolder(tmp_path / "state")
    with state.claimed(fresh=False):
        (state.storage / "object").write_text("x", encoding="utf-8")
        (state.warehouse / "bqemulator.duckdb").write_text("x", encoding="utf-8")
    with state.claimed(fresh=True):
        assert list(state.storage.iterdir()) == list(state.warehouse.iterdir()) == []


def test_endpoints_are_read_back_as_written_without_empty_keys(tmp_path: Path) -> None:
    """Other programs see only keys that lead somewhere."""
    endpoints().write(tmp_path)
    assert read_endpoints(tmp_path) == endpoints()
    assert "secops" not in (tmp_path / "endpoints.json").read_text(encoding="utf-8")


def test_endpoints_keep_what_a_newer_mesh_adds(tmp_path: Path) -> None:
    """A key nobody knew yet does not break older readers."""
    text = endpoints().model_dump_json(exclude_none=True)
    (tmp_path / "endpoints.json").write_text(text.replace("{", '{"status_page": "http://x", ', 1), encoding="utf-8")
    found = read_endpoints(tmp_path)
    assert found
    assert found.model_extra == {"status_page": "http://x"}


def test_broken_endpoints_file_is_refused_by_name(tmp_path: Path) -> None:
    """The operator learns which file is broken."""
    (tmp_path / "endpoints.json").write_text("{}", encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"endpoints\.json cannot be read: Field required"):
        read_endpoints(tmp_path)


def test_environment_leads_every_client_to_the_mesh() -> None:
    """Google's own variables carry the emulators, and no proxy comes between."""
    environment = endpoints().environment()
    assert environment["PUBSUB_EMULATOR_HOST"] == "127.0.0.1:1"
    assert environment["STORAGE_EMULATOR_HOST"] == "http://127.0.0.1:2"
    assert environment["BIGQUERY_EMULATOR_HOST"] == "http://127.0.0.1:3"
    assert environment["NO_PROXY"] == "127.0.0.1,localhost"
    assert "VT_API_URL" not in environment
