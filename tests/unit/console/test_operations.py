"""docs/operations.md keeps up with what it describes."""

import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest
from typer.main import get_command

from services.console.coverage import Cell, Coverage
from services.console.feeds import feed_status
from services.console.main import app
from tests.doubles import NOON

PAGE = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")


# What stands for something of the reader's own.
_PLACES = {"FEED": "domains", "FROM": "2026-11-21T10:00Z", "TO": "2026-11-21T10:09Z", "TEXT": "no licence"}


def written_commands() -> list[str]:
    """Return every command of the page, with values in the place of names in capitals."""
    found = re.findall(r"gti-mesh ([a-z]+(?: [a-z-]+)?[^`\n|]*)", PAGE)
    return sorted({re.sub(r"\b[A-Z]{2,}\b", lambda name: _PLACES[name.group()], line) for line in found})


@pytest.mark.parametrize("line", written_commands())
def test_every_command_can_be_given(line: str) -> None:
    """Subcommand, arguments and options are read by the command itself, as from a terminal."""
    command, words = get_command(app), shlex.split(line, comments=True)
    # click's group type is not typer's to promise.
    while known := getattr(command, "commands", None):
        command = known[words.pop(0)]
    command.make_context(line, words)


def test_every_alarm_has_its_page() -> None:
    """What status says is wrong is in the table at the top, word for word."""
    troubles = ("missing", "never loaded", "never merged", "dead")
    cells = [
        *(Cell(NOON - timedelta(hours=6) + timedelta(minutes=number), "absent", NOON) for number in range(6)),
        Cell(NOON - timedelta(hours=4), "merged", NOON, lines=10, rejected=9),
    ]
    said = " ".join(feed_status(Coverage("domains", tuple(cells), NOON), NOON).conditions())
    table = PAGE.partition("How to:")[0]
    for words in (*troubles, "is stale", "the source had no package for", "lines were rejected"):
        assert words in table
        assert words in troubles or words in said


def test_every_link_leads_to_a_heading() -> None:
    """Within the page."""
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\(#([a-z-]+)\)", PAGE)) <= headings
