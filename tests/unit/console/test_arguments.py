"""What is wrong with the command line is said before anything is started."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.console.main import app


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["demo", "--feeds", " ,"], "name at least one feed"),
        (["demo", "--feeds", "domians"], "unknown feed 'domians'; known feeds: domains"),
        (["demo", "--report", "."], "'.' is a directory"),
        (["demo", "--state", __file__], "is a file"),
        (["up", "--state", __file__], "is a file"),
        (["status", "--state", __file__], "is a file"),
        (["plan", "--state", __file__], "is a file"),
        (["audit", "--since", "yesterday"], "'yesterday' is not a whole UTC minute"),
        (["dead", "redrive"], "by --reason TEXT, or say --all"),
        (["dead", "discard"], "by --reason TEXT, or say --all"),
        (["secops", "check-parser", "--parser", "nowhere"], "'nowhere' does not exist"),
        (["secops", "check-parser", "--samples", "."], "'.' is a directory"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, the argument's value and what is wrong with it; no mesh is looked for."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments, env={"COLUMNS": "400"})
    assert done.exit_code == 2, done.output
    assert reason in done.output
    assert not list(tmp_path.iterdir())
