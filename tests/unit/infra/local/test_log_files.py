"""The log files of a local mesh."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gti_mesh.main import app
from infra.local.log_files import NoSuchLog, find_log, follow, last_lines
from infra.local.state import StateFolder


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """Return a state folder with the log of a planner and of a loader."""
    found = StateFolder(tmp_path)
    found.logs.mkdir()
    found.log("planner").write_text("".join(f"line {number}\n" for number in range(5)), encoding="utf-8")
    found.log("loader").write_bytes(b"caf\xe9\nand \x1b[31mred\n")
    return found


def test_a_log_is_found_by_its_part(state: StateFolder, tmp_path: Path) -> None:
    """Another name is an error that lists those that there are; a folder without logs has none."""
    assert find_log(state.path, "planner") == state.log("planner")
    with pytest.raises(NoSuchLog, match="no log of 'planer'; there are logs of loader, planner"):
        find_log(state.path, "planer")
    assert find_log(tmp_path / "elsewhere", "planner") is None


def test_the_last_lines_are_shown(state: StateFolder) -> None:
    """As many as were asked for, and bytes that are not text do not end it."""
    assert last_lines(state.log("planner"), 2) == ["line 3", "line 4"]
    assert last_lines(state.log("loader"), 9)[0] == "caf\ufffd"


def test_a_log_is_followed_across_a_restart(state: StateFolder) -> None:
    """A line comes once it is whole; a mesh that starts again begins a new file, which is read from its start."""
    log = state.log("planner")
    texts = iter(["half a ", "line\nnext\n", None, "new file\n"])
    lines = follow(log, 1, pause=lambda _: write(log, next(texts)))
    assert [next(lines) for _ in range(4)] == ["line 4", "half a line", "next", "new file"]


def write(file: Path, text: str | None) -> None:
    """Write more, or begin a new file."""
    if text is None:
        file.unlink()
        return
    with file.open("a", encoding="utf-8") as log:
        log.write(text)


def test_a_log_is_printed_without_its_control_characters(state: StateFolder) -> None:
    """A log holds foreign text."""
    done = CliRunner().invoke(app, ["logs", "loader", "-n", "1", "--state", str(state.path)])
    assert (done.exit_code, done.output) == (0, "and \\x1b[31mred\n")


def test_without_a_local_mesh_the_clouds_command_is_named(tmp_path: Path) -> None:
    """Its logs are in Cloud Logging."""
    done = CliRunner().invoke(app, ["logs", "loader", "--state", str(tmp_path)])
    assert "gcloud run services logs read loader --region REGION" in str(done.exception)
