"""Letters that only the ledger still has, and those that Pub/Sub still has for nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import cast

from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from shared.operations.dead_letter_archive import handled_letters
from shared.operations.dead_letter_mailbox import mailbox
from shared.operations.dead_letters import Choice
from shared.operations.handle_dead_letters import (
    close_letters,
    held_letters,
    lost_letters,
    open_letters,
    resolved_letters,
)
from shared.operations.open_dead_letters import DeadLetterRecord
from tests.support.dead_letters import Subscriber, memory_mesh
from tests.support.doubles import NOON

NOW = NOON + timedelta(days=1)
HELD = DeadLetterRecord("7", "domains", NOON, "attempts spent", 100, "downloader", NOON, "dead", NOON)
# The emulator had been started again: another letter, and the same id.
LOST = replace(HELD, at=NOON - timedelta(days=2))
OTHER = replace(HELD, message_id="8", reason="too large")
EVERYTHING = Choice(everything=True)


def letters_of(subscriber: Subscriber, *records: DeadLetterRecord) -> None:
    """Let Pub/Sub hold these letters."""
    for record in records:
        subscriber.add("feed-minutes", at=record.at, source_message_id=record.message_id)


def test_a_letter_that_pubsub_no_longer_holds_can_be_closed() -> None:
    """Otherwise the mesh would be degraded for ever; one that it holds, or that is still on its way, is not closed."""
    mesh, bucket, _ = memory_mesh()
    subscriber = Subscriber()
    letters_of(subscriber, HELD)
    young = replace(HELD, message_id="9", at=NOW - timedelta(minutes=1))
    unhandled = [HELD, LOST, OTHER, young]
    with mailbox(mesh, subscriber=lambda: cast("SubscriberClient", subscriber)) as held:
        assert lost_letters(open_letters(unhandled, EVERYTHING), held, NOW) == [LOST, OTHER]
        assert lost_letters(open_letters(unhandled, Choice(ids=("7",))), held, NOW) == [LOST]
        assert lost_letters(open_letters(unhandled, Choice(reason="large")), held, NOW) == [OTHER]
        assert lost_letters(open_letters(unhandled, Choice()), held, NOW) == []
    assert close_letters(bucket, [LOST], NOW) == 1
    handled = handled_letters(bucket, NOON - timedelta(days=31))
    assert [handled.holds(one.message_id, one.at) for one in unhandled] == [False, True, False, False]


def test_a_letter_that_appears_at_a_second_look_is_not_lost() -> None:
    """Pub/Sub may answer nothing at first though it has messages."""
    mesh, *_ = memory_mesh()
    subscriber = Subscriber()
    with mailbox(mesh, subscriber=lambda: cast("SubscriberClient", subscriber)) as held:
        letters_of(subscriber, HELD)
        assert lost_letters(open_letters([HELD], EVERYTHING), held, NOW) == []
        assert [letter.id for letter in held.letters] == ["7"]


def test_nothing_is_closed_after_reading_a_part() -> None:
    """What was not read may be there."""
    mesh, *_ = memory_mesh()
    subscriber = Subscriber()
    subscriber.at_pull = lambda _: letters_of(subscriber, OTHER)
    with mailbox(mesh, 0, subscriber=lambda: cast("SubscriberClient", subscriber)) as held:
        held.look_longer = lambda: held.fill(seconds=0.01)  # type: ignore[method-assign]
        assert lost_letters(open_letters([LOST], EVERYTHING), held, NOW) == []


def test_letters_whose_minute_has_come_are_found_in_pubsub() -> None:
    """They are on no list, and the alarm counts them until they are taken out."""
    mesh, *_ = memory_mesh()
    subscriber = Subscriber()
    letters_of(subscriber, HELD, LOST, OTHER)
    arrived = replace(HELD, state="merged", reached=NOON + timedelta(hours=1), error_type="attempts_spent")
    with mailbox(mesh, subscriber=lambda: cast("SubscriberClient", subscriber)) as held:
        resolved = resolved_letters([arrived, LOST, OTHER])
        assert resolved == [arrived]
        found = held_letters(resolved, held)
        assert [letter.published for letter in found] == [NOON]
