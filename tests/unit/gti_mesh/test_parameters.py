"""Errors in the command line are reported before anything is started."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gti_mesh.main import app


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["demo", "--feeds", " ,"], "name at least one feed"),
        (["demo", "--feeds", "domians"], "unknown feed 'domians'; known feeds: domains"),
        (["demo", "--report", "."], "'.' is a directory"),
        (["demo", "--state", __file__], "is a file"),
        (["up", "--state", __file__], "is a file"),
        (["up", "--port", "0"], "--port"),
        (["status", "--state", __file__], "is a file"),
        (["plan", "--state", __file__], "is a file"),
        (["audit", "--since", "yesterday"], "'yesterday' is not a whole UTC minute"),
        (["fold", "domians"], "unknown feed 'domians'; known feeds: domains"),
        (["migrate", "current", "domians"], "unknown feed 'domians'; known feeds: domains"),
        (["dead", "redrive"], "by --reason TEXT, or use --all"),
        (["dead", "discard"], "by --reason TEXT, or use --all"),
        (["secops", "check-parser", "--parser", "nowhere"], "'nowhere' does not exist"),
        (["secops", "check-parser", "--samples", "."], "'.' is a directory"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 2, with the argument's value and the error; no mesh is looked up."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "400"})
    assert done.exit_code == 2, done.output
    assert reason in done.output
    assert not list(tmp_path.iterdir())
