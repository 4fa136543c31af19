"""The suggested first commands work."""

import shlex
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from typer.main import get_command

from gti_mesh.main import app
from infra.endpoints import DEFAULT_STATE
from infra.local.next_steps import first_commands, own_command, print_next_steps
from shared.contracts.minutes import last_due, parse_minute
from shared.feeds.definition import period_of
from tests.support.doubles import NOON


@pytest.mark.parametrize("feed", ["urls", "threat_lists"])
@pytest.mark.parametrize("state", [DEFAULT_STATE, Path("else where")])
def test_first_commands_can_be_given(state: Path, feed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command parses each suggestion; its minutes are due, and a non-default folder is named."""
    monkeypatch.setattr("sys.argv", ["/venv/bin/gti-mesh"])
    commands = list(first_commands(state, feed, NOON))
    assert {shlex.split(line)[1] for line in commands} == {"replay", "query", "status"}
    for line in commands:
        name, *words = shlex.split(line)[1:]
        get_command(app).commands[name].make_context(name, list(words))  # type: ignore[attr-defined]
        assert ("--state" in words) == (state != DEFAULT_STATE)
    [replay] = [shlex.split(line) for line in commands if " replay " in line]
    first, last = parse_minute(replay[3]), parse_minute(replay[4])
    assert first < last < last_due(NOON)
    assert {first, last} == set(map(period_of(feed).floor, (first, last)))


@pytest.mark.parametrize(("environment", "words"), [({}, "-m gti_mesh up\n"), ({"MAKELEVEL": "1"}, "  make up\n")])
def test_the_demo_names_what_was_typed(
    environment: dict[str, str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `make demo`, `make up` is suggested."""
    monkeypatch.setattr("sys.argv", ["/x/gti_mesh/__main__.py"])
    console = Console(file=StringIO(), width=40)
    print_next_steps(console, environment)
    assert isinstance(console.file, StringIO)
    output = console.file.getvalue()
    assert words in output
    assert "query 'SELECT id, feed_minute FROM domains_current ORDER BY feed_minute DESC LIMIT 10'\n" in output


def test_a_command_is_named_so_that_it_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command is suggested by name if it is on the PATH, otherwise by path."""
    command = tmp_path / "gti-mesh"
    command.touch(mode=0o755)
    monkeypatch.setenv("PATH", "")
    assert own_command(str(command)) == str(command)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_command(str(command)) == "gti-mesh"
    assert own_command("/x/gti_mesh/__main__.py") == "python -m gti_mesh"
