"""docs/operations.md is consistent with the code."""

import re
import shlex
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from typer.main import get_command

from gti_mesh.main import app
from shared.contracts.outcomes import DEAD_LETTER_TYPES
from shared.operations.coverage import Cell, Coverage
from shared.operations.feed_conditions import FeedCondition
from shared.operations.feed_status import feed_status
from shared.operations.health import Trouble
from shared.operations.open_dead_letters import DeadLetterRecord
from tests.support.doubles import NOON
from tests.support.paths import DOCS

PAGE = (DOCS / "operations.md").read_text(encoding="utf-8")


# What stands for something of the reader's own.
_PLACES = {
    "FEED": "domains",
    "FROM": "2026-11-21T10:00Z",
    "TO": "2026-11-21T10:09Z",
    "TEXT": "no licence",
    "ERROR_TYPE": "attempts_spent",
    "SERVICE": "loader",
}


def written_commands() -> list[str]:
    """Return every command on the page, with values for names in capitals."""
    found = re.findall(r"gti-mesh ([a-z]+(?: [a-z-]+)?[^`\n|]*)", PAGE)
    return sorted({re.sub(r"\b[A-Z_]{2,}\b", lambda name: _PLACES[name.group()], line) for line in found})


@pytest.mark.parametrize("line", written_commands())
def test_every_command_can_be_given(line: str) -> None:
    """The command itself parses subcommand, arguments and options."""
    command, words = get_command(app), shlex.split(line, comments=True)
    # click's group type is not typer's to promise.
    while known := getattr(command, "commands", None):
        command = known[words.pop(0)]
    command.make_context(line, words)


def test_every_alarm_has_its_page() -> None:
    """The table at the top has every message of status, word for word."""
    troubles = get_args(Trouble)
    cells = [
        *(Cell(NOON - timedelta(hours=6) + timedelta(minutes=number), "absent", NOON) for number in range(6)),
        Cell(NOON - timedelta(hours=4), "merged", NOON, lines=10, rejected=9),
    ]
    coverage = Coverage("domains", tuple(cells), NOON)
    condition = FeedCondition(error_type="not_licensed", reason="403", since=NOON)
    found = (coverage, replace(coverage, condition=condition))
    conditions = " ".join(str(problem) for one in found for problem in feed_status(one, NOON).conditions())
    table = PAGE.partition("How to:")[0]
    for words in (
        *troubles,
        "is stale",
        "the source had no package for",
        "lines were rejected",
        "no package is given since",
    ):
        assert words in table
        assert words in troubles or words in conditions


def test_every_type_of_dead_letter_has_its_row() -> None:
    """The table has each type's meaning and remedy."""
    section = PAGE.partition("## Dead letters")[2].partition("\n## ")[0]
    rows = [
        row.partition(" | ")[0] for row in section.splitlines() if row.startswith("| `") and "error_type" not in row
    ]
    assert set(re.findall(r"`(\w+)`", "\n".join(rows))) == DEAD_LETTER_TYPES


def test_the_page_and_the_commands_agree_on_the_remedy_of_each_type() -> None:
    """Status, page and list offer the remedy of the letter's row."""
    section = PAGE.partition("## Dead letters")[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith("| `") and "error_type" not in row]
    for row in rows:
        for error_type in re.findall(r"`(\w+)`", row.partition(" | ")[0]):
            letter = DeadLetterRecord("1", "domains", None, "why", 1, None, NOON, None, error_type=error_type)
            remedy = row.split(" | ")[2]
            assert f"`{letter.action}`" in remedy or "a-page-is-not-delivered" in remedy, row


def test_every_link_leads_to_a_heading() -> None:
    """Links within the page lead to headings."""
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)}
    assert set(re.findall(r"\(#([a-z-]+)\)", PAGE)) <= headings
