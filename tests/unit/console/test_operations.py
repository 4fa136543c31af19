"""docs/operations.md keeps up with what it describes."""

import re
from datetime import timedelta
from pathlib import Path

from typer.main import get_command

from services.console.coverage import Cell, Coverage
from services.console.feeds import feed_status
from services.console.main import app
from tests.doubles import NOON

PAGE = (Path(__file__).parents[3] / "docs/operations.md").read_text(encoding="utf-8")


def test_every_command_it_names_exists() -> None:
    """Subcommands and options too."""
    known = get_command(app)
    commands = getattr(known, "commands")  # noqa: B009 click's group type is not typer's to promise
    for line in re.findall(r"gti-mesh ([a-z]+(?: [a-z]+)?[^`\n|]*)", PAGE):
        name, *rest = line.split()
        assert name in commands, line
        command = commands[name]
        if name == "dead":
            command = command.commands[rest[0]]
        options = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= options, line


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
