"""A dead letter, its copy, and the selection of letters."""

import pytest

from shared.operations.dead_letters import Choice, DeadLetter
from tests.support.doubles import NOON

LETTER = DeadLetter(
    "feed-minutes", "id-1", b"{}", {"reason": "403: no Licence", "error_type": "not_licensed"}, NOON, "1"
)


@pytest.mark.parametrize(
    "choice",
    [
        Choice(ids=("id-1", "id-2")),
        Choice(reason="no licence"),
        Choice(error_type="not_licensed"),
        Choice(error_type="not_licensed", reason="403"),
        Choice(everything=True),
    ],
)
def test_letters_are_chosen_by_id_by_type_and_reason_or_all(choice: Choice) -> None:
    """A part of the reason is enough, in upper or lower case."""
    assert choice.wants(LETTER)


@pytest.mark.parametrize(
    "choice",
    [
        Choice(),
        Choice(ids=("id-2",)),
        Choice(reason="source changed"),
        Choice(error_type="oversize"),
        Choice(error_type="not_licensed", reason="404"),
        Choice(error_type="oversize", reason="403"),
    ],
)
def test_what_is_not_meant_is_not_chosen(choice: Choice) -> None:
    """An empty selection selects nothing; type and reason must both match."""
    assert not choice.wants(LETTER)


def test_a_redriven_letter_is_the_message_it_was_with_its_count_raised() -> None:
    """The attributes that Pub/Sub and the mesh added are removed."""
    attributes = {"feed": "domains", "redriven": "2", "reason": "r", "error_type": "oversize", "source_message_id": "1"}
    letter = DeadLetter("feed-minutes", "1", b"x", {**attributes, "CloudPubSubDeadLetterX": "3"}, NOON, "1")
    message = letter.original()
    assert (message.topic, message.body, message.attributes) == (
        "feed-minutes",
        b"x",
        {"feed": "domains", "redriven": "3"},
    )
