"""Dead letters whose minute has come since leave Pub/Sub by themselves; all others stay."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from services.planner.resolved_letters import ResolvedLetters, TakenOut
from shared.contracts.minutes import utc_now
from shared.operations.dead_letter_archive import handled_letters
from shared.operations.dead_letter_lock import LOCK, DeadLetterLock
from shared.operations.dead_letter_mailbox import mailbox
from shared.operations.mesh import Mesh
from shared.operations.open_dead_letters import DeadLetterRecord
from tests.support.dead_letters import Subscriber, memory_mesh
from tests.support.doubles import NOON

NOW = NOON + timedelta(days=1)
SPENT = DeadLetterRecord(
    "7", "domains", NOON, "attempts spent", 100, "downloader", NOON, "merged", NOON, error_type="attempts_spent"
)


class Letters:
    """A mesh in memory with dead letters, in the ledger and in Pub/Sub."""

    def __init__(self) -> None:
        self.mesh, self.bucket, _ = memory_mesh()
        self.subscriber = Subscriber()
        self.ledger: list[DeadLetterRecord] = []

    def add(self, *records: DeadLetterRecord, topic: str = "feed-minutes") -> None:
        """Let both have letters."""
        self.ledger += records
        for record in records:
            self.subscriber.add(topic, at=record.at, source_message_id=record.message_id)

    def unhandled(self, mesh: Mesh, now: datetime) -> Sequence[DeadLetterRecord]:
        """Return the letters of the ledger that were not handled."""
        assert now == NOW
        handled = handled_letters(mesh.bucket, NOON)
        return [letter for letter in self.ledger if not handled.holds(letter.message_id, letter.at)]

    def copies(self) -> list[str]:
        """Return the names of the records of handled letters."""
        return list(self.bucket.names("dead/"))

    def take_out(self, most: int = 100) -> TakenOut:
        """Run once."""
        client = cast("SubscriberClient", self.subscriber)
        letters = ResolvedLetters(
            self.mesh, lambda: NOW, unhandled=self.unhandled, subscriber=lambda: client, most=most
        )
        return letters.take_out()


@pytest.fixture
def letters() -> Letters:
    """A mesh without dead letters."""
    return Letters()


def test_letters_whose_minute_has_come_leave_a_copy_and_pubsub(letters: Letters) -> None:
    """Of both topics whose letters name minutes; a second run has nothing to do."""
    letters.add(SPENT)
    letters.add(replace(SPENT, message_id="8"), topic="minutes-landed")
    assert letters.take_out() == TakenOut(discarded=2, complete=True)
    assert (letters.subscriber.left, letters.subscriber.leased) == (0, {})
    assert len(letters.copies()) == 2
    assert letters.take_out() == TakenOut(complete=True)


@pytest.mark.parametrize(
    "letter",
    [
        replace(SPENT, state="dead"),
        replace(SPENT, state=None, minute=None, feed=None, error_type="invalid_message"),
        replace(SPENT, error_type="source_changed"),
        replace(SPENT, error_type="request_refused", reached=NOON - timedelta(hours=1)),
    ],
    ids=["its minute is still missing", "it names no minute", "source changed", "died after its minute had come"],
)
def test_letters_that_need_an_operator_stay(letters: Letters, letter: DeadLetterRecord) -> None:
    """They wait in Pub/Sub, available to the next command at once."""
    letters.add(letter)
    assert letters.take_out() == TakenOut(complete=True)
    assert (letters.subscriber.left, letters.copies()) == (1, [])


def test_a_letter_that_the_ledger_does_not_have_yet_stays(letters: Letters) -> None:
    """Nothing is known of its minute."""
    letters.subscriber.add("feed-minutes", at=NOON, source_message_id="7")
    assert letters.take_out() == TakenOut(complete=True)
    assert letters.subscriber.left == 1


def test_a_letter_that_was_copied_and_not_acked_is_acked(letters: Letters) -> None:
    """A command that died between the two leaves a letter that no list has and the alarm counts."""
    letters.add(SPENT)
    with mailbox(letters.mesh, subscriber=lambda: cast("SubscriberClient", letters.subscriber)) as held:
        [letter] = held.letters
        letters.bucket.create(letter.archive_name, letter.record("redriven", NOON))
    assert letters.take_out() == TakenOut(discarded=1, complete=True)
    assert letters.subscriber.left == 0
    assert len(letters.copies()) == 1


def test_letters_that_pubsub_has_lost_are_closed(letters: Letters) -> None:
    """So that status does not count them for the rest of the month."""
    letters.ledger.append(SPENT)
    assert letters.take_out() == TakenOut(closed=1, complete=True)
    assert letters.take_out() == TakenOut(complete=True)


def test_a_run_takes_a_bounded_number_and_the_next_ones_the_rest(letters: Letters) -> None:
    """What was not read is not taken for lost."""
    letters.subscriber = Subscriber(page=10)
    letters.add(*(replace(SPENT, message_id=f"{number}") for number in range(25)))
    assert letters.take_out(most=20) == TakenOut(discarded=20, complete=False)
    assert letters.take_out(most=20) == TakenOut(discarded=5, complete=True)
    assert len(letters.copies()) == 25


def test_an_operator_at_work_comes_first(letters: Letters) -> None:
    """A run does nothing while a command holds the letters; the lock of a run is one for which commands wait."""
    letters.add(SPENT)
    with DeadLetterLock(letters.bucket, utc_now):
        assert letters.take_out() == TakenOut()
    assert letters.subscriber.left == 1
    locks: list[dict[str, object]] = []
    letters.subscriber.at_pull = lambda _: locks.append(json.loads(letters.bucket.objects[LOCK].data))
    assert letters.take_out() == TakenOut(discarded=1, complete=True)
    assert {(lock["who"], lock["brief"]) for lock in locks} == {("the planner", True)}


def test_letters_about_pages_are_not_read(letters: Letters) -> None:
    """They name no minute, and the planner has no right to their subscription."""
    letters.subscriber.broken = "ioc-pages-dead"
    assert letters.take_out() == TakenOut(complete=True)
