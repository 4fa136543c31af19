"""Dead letters are held for one command at a time, and end up acked and recorded, or given back."""

import base64
import json
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import cast

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from shared.contracts.outcomes import Misconfigured, Retryable
from shared.operations.dead_letter_lock import LettersLocked
from shared.operations.dead_letter_mailbox import Mailbox, mailbox
from tests.support.dead_letters import Subscriber, memory_mesh
from tests.support.doubles import NOON
from tests.support.waiting import wait_until

TOPICS = ("feed-minutes", "minutes-landed", "ioc-pages")


class Console:
    """A mesh in memory, and commands on it."""

    def __init__(self) -> None:
        self.mesh, self.bucket, self.publisher = memory_mesh()
        self.subscriber = Subscriber()

    def hold(self, enough: int | None = None, extend_seconds: float = 60.0) -> AbstractContextManager[Mailbox]:
        """Begin a command."""
        client = cast("SubscriberClient", self.subscriber)
        return mailbox(self.mesh, enough, subscriber=lambda: client, extend_seconds=extend_seconds)

    def copies(self) -> list[dict[str, object]]:
        """Return the records of handled letters."""
        return [json.loads(self.bucket.objects[name].data) for name in self.bucket.names("dead/")]


@pytest.fixture
def console() -> Console:
    """A console with no dead letter."""
    return Console()


@pytest.mark.parametrize("broken", TOPICS)
def test_letters_of_one_topic_go_back_when_another_cannot_be_read(console: Console, broken: str) -> None:
    """Otherwise they would be invisible until their lease expired."""
    for topic in TOPICS:
        console.subscriber.add(topic)
    console.subscriber.broken = f"{broken}-dead"
    with pytest.raises(Retryable, match="dead letters cannot be read: down"), console.hold():
        pytest.fail("there is nothing to look at")
    assert (console.subscriber.leased, console.subscriber.left) == ({}, 3)


def test_letters_are_those_of_this_mesh(console: Console) -> None:
    """Where several meshes share a project, by the prefix of their names; the topic is the one that the code knows."""
    console.mesh, _, _ = memory_mesh("eu-")
    console.subscriber.add("eu-feed-minutes", b'"ours"')
    console.subscriber.add("feed-minutes", b'"of another mesh"')
    with console.hold() as held:
        assert [(letter.topic, letter.message) for letter in held.letters] == [("feed-minutes", b'"ours"')]
    assert console.subscriber.left == 2


def test_reading_ends_although_letters_come_again_and_again(console: Console) -> None:
    """With expired leases, or a letter that returns at once, a pull that returns nothing new is the last."""
    for _ in range(3):
        console.subscriber.add("feed-minutes")
    console.subscriber.at_pull = console.subscriber.end_leases
    with console.hold() as held:
        assert [letter.message_id for letter in held.letters] == ["1", "2", "3"]
        assert held.complete
        # The ack ids of the newest delivery are those that count.
        assert held.discard(held.letters) == 3
    assert (console.subscriber.left, len(console.copies())) == (0, 3)


def test_reading_ends_at_its_deadline(console: Console) -> None:
    """A subscription that is filled faster than it is read; the command can tell that there are more."""
    console.subscriber.at_pull = lambda _: console.subscriber.add("feed-minutes")
    with console.hold(enough=0) as held:
        held.fill(seconds=0.05)
        assert held.letters
        assert not held.complete


def test_two_commands_at_once_tell_each_other(console: Console) -> None:
    """The second says who is at work instead of reporting held letters as lost; later it may."""
    console.subscriber.add("feed-minutes")
    with (
        console.hold(),
        pytest.raises(LettersLocked, match=r"another command handles the dead letters: process \d+ on"),
    ):
        console.hold().__enter__()
    with console.hold() as held:
        assert len(held.letters) == 1


def test_letters_are_kept_while_they_are_worked_on(console: Console) -> None:
    """Their leases are extended until the command ends, whatever time an operator takes to answer."""
    console.subscriber.add("feed-minutes")
    with console.hold(extend_seconds=0.001):
        wait_until(lambda: len(console.subscriber.extended) >= 3, "three extensions")
    assert set(console.subscriber.extended) == {1}


def test_letters_that_can_no_longer_be_kept_are_left_alone(console: Console) -> None:
    """Nothing is published or acked for letters that another subscriber may hold by now."""
    console.subscriber.add("feed-minutes")

    def work() -> None:
        with console.hold(extend_seconds=0.001) as held:
            console.subscriber.fails = GoogleAPICallError("the network is down")  # type: ignore[no-untyped-call]
            wait_until(lambda: held._failure is not None, "a failed extension")
            try:
                held.redrive(held.letters)
            finally:
                console.subscriber.fails = None

    with pytest.raises(Retryable, match="dead letters cannot be kept: the network is down"):
        work()
    assert (console.subscriber.acked, console.publisher.published, console.subscriber.left) == ([], {}, 1)


def test_the_copy_of_a_letter_is_true_to_the_byte(console: Console) -> None:
    """Bytes that are not text too; with what Pub/Sub knew of it."""
    data = bytes(range(256))
    console.subscriber.add("feed-minutes", data, feed="domains")
    with console.hold() as held:
        held.discard(held.letters)
    [copy] = console.copies()
    assert base64.b64decode(str(copy["data"])) == data
    assert (copy["attributes"], copy["published"], copy["action"]) == (
        {"feed": "domains"},
        "2026-11-21T12:00:00Z",
        "discarded",
    )


def test_letters_whose_ids_recur_keep_a_copy_each(console: Console) -> None:
    """An emulator counts from 1 again, and a publisher can set any id."""
    for number in range(15):
        at = NOON + timedelta(days=number % 3)
        console.subscriber.add("feed-minutes", f"{number}".encode(), at, source_message_id=f"id-{number % 6}")
    with console.hold() as held:
        assert held.discard(held.letters) == 15
    assert sorted(base64.b64decode(str(copy["data"])) for copy in console.copies()) == sorted(
        f"{number}".encode() for number in range(15)
    )


def test_what_died_between_copy_and_ack_is_done_again(console: Console) -> None:
    """The same letter has the same name, and its copy is taken as it is."""
    console.subscriber.add("feed-minutes")
    with console.hold() as held:
        [letter] = held.letters
        console.bucket.create(letter.archive_name, letter.record("discarded", NOON))
        assert held.discard([letter]) == 1
    assert (console.subscriber.left, len(console.copies())) == (0, 1)


@pytest.mark.parametrize("other", [b"{}", b"no json", b'{"data":"e30=","attributes":{"a":"b"}}'])
def test_nothing_is_acked_for_another_letters_copy(console: Console, other: bytes) -> None:
    """An object of the same name that is not this letter is named, and the letter stays."""
    console.subscriber.add("feed-minutes")

    def discard() -> None:
        with console.hold() as held:
            console.bucket.create(held.letters[0].archive_name, other)
            held.discard(held.letters)

    with pytest.raises(Misconfigured, match=r"gs://landing/dead/\S+ is not a copy of dead letter 1"):
        discard()
    assert (console.subscriber.acked, console.subscriber.left) == ([], 1)


def test_a_letter_is_published_and_recorded_before_it_is_acked(console: Console) -> None:
    """A redrive that fails leaves every letter of its batch where it was."""
    for topic in TOPICS:
        console.subscriber.add(topic)
    console.publisher.fail_with = Retryable("Pub/Sub is down")

    def redrive() -> None:
        with console.hold() as held:
            held.redrive(held.letters)

    with pytest.raises(Retryable, match="Pub/Sub is down"):
        redrive()
    assert (console.subscriber.acked, console.copies(), console.subscriber.left) == ([], [], 3)
    console.publisher.fail_with = None
    redrive()
    assert sorted(console.publisher.published) == sorted(TOPICS)
    assert (len(console.subscriber.acked), len(console.copies()), console.subscriber.left) == (3, 3, 0)


def test_many_letters_take_one_pass(console: Console) -> None:
    """Those that are not meant stay held until the end, so that none of them is read twice."""
    for number in range(1203):
        console.subscriber.add("feed-minutes", f"{number}".encode())
    pulls: list[str] = []
    console.subscriber.at_pull = pulls.append
    with console.hold() as held:
        assert held.redrive([letter for letter in held.letters if int(letter.message) % 2]) == 601
    assert pulls.count("feed-minutes-dead") == 4
    assert (len(console.subscriber.acked), console.subscriber.left) == (601, 602)
