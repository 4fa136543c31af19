"""A dead letter and its row in the ledger correspond."""

from datetime import timedelta

import pytest

from shared.operations.audit_letters import compare_letters
from shared.operations.dead_letters import DeadLetter
from shared.operations.open_dead_letters import DeadLetterRecord
from tests.support.doubles import NOON

OLD = NOON - timedelta(minutes=11)


def letter(name: str, minutes: float = 11) -> DeadLetter:
    """Return a letter in a subscription."""
    published = NOON - timedelta(minutes=minutes)
    return DeadLetter("feed-minutes", name, b"{}", {}, published, name)


def row(name: str, state: str | None = "dead", minutes: float = 11) -> DeadLetterRecord:
    """Return a letter in the ledger."""
    return DeadLetterRecord(name, "domains", OLD, "why", 1, None, NOON - timedelta(minutes=minutes), state, OLD)


def found(held: list[DeadLetter], recorded: list[DeadLetterRecord], *, complete: bool = True) -> list[str]:
    """Return the findings."""
    return [finding.what for finding in compare_letters(held, recorded, NOON, complete=complete)]


def test_a_letter_and_its_row_are_no_mismatch() -> None:
    """A letter with its row is no mismatch, and neither is a row whose letter was resolved by its minute."""
    assert found([letter("1")], [row("1"), row("2", "merged")]) == []


def test_a_letter_without_its_row_is_named() -> None:
    """A letter without its row is reported, and a row without its letter with the command for it."""
    assert found([letter("1")], [row("2")]) == [
        "dead letter 1 of feed-minutes-dead has no row in the ledger",
        "dead letter 2 of the ledger is in no subscription",
    ]
    [finding] = compare_letters([letter("1")], [], NOON, complete=True)
    assert finding.remedy == "gti-mesh dead discard 1"


@pytest.mark.parametrize(("minutes", "complete"), [(9, True), (11, False)])
def test_what_may_be_on_its_way_is_not_named(minutes: float, complete: bool) -> None:
    """Recent letters, and letters not read because there are too many, are not reported."""
    assert found([], [row("2", minutes=minutes)], complete=complete) == []
    assert found([letter("1", minutes=9)], []) == []


def test_an_id_that_could_be_a_command_is_not_repeated() -> None:
    """An id with shell characters is not repeated in a command, since any publisher can choose it."""
    [finding] = compare_letters([letter("$(reboot)")], [], NOON, complete=True)
    assert finding.remedy == "gti-mesh dead list"
