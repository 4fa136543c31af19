"""The dead letters of one topic that a command holds, and their leases in Pub/Sub."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from threading import Lock
from typing import TypeVar

from google.api_core.exceptions import DeadlineExceeded, NotFound
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient
from google.pubsub_v1.types import ReceivedMessage

from shared.contracts.dead_letters import SOURCE_MESSAGE_ID
from shared.operations.dead_letters import DeadLetter

T = TypeVar("T")

# The most messages of one call.
BATCH = 500
_TIMEOUT = 10.0


@dataclass
class LeasedLetters:
    """The letters of one topic: by message id, each with the newest of its ack ids.

    read is False if reading stopped at a count or a deadline.
    """

    client: SubscriberClient
    topic: str
    subscription: str
    letters: dict[str, DeadLetter] = field(default_factory=dict)
    read: bool = False
    _ack_ids: dict[str, str] = field(default_factory=dict)
    # Leases are extended by a thread of its own.
    _lock: Lock = field(default_factory=Lock)

    def fill(self, enough: int | None, quiet_seconds: float, end: float) -> None:
        """Pull until a pull returns nothing new, there are enough letters, or the monotonic clock is at `end`.

        Each pull waits for a number of seconds.
        """
        while time.monotonic() < end and (enough is None or len(self.letters) < enough):
            if not self._hold(self._pull(quiet_seconds)):
                self.read = True
                return

    def set_deadlines(self, seconds: int) -> None:
        """Make all leases end after a number of seconds; 0 makes the letters available at once."""
        with self._lock:
            ack_ids = list(self._ack_ids.values())
        for some in batches(ack_ids, BATCH):
            self.client.modify_ack_deadline(
                subscription=self.subscription, ack_ids=list(some), ack_deadline_seconds=seconds, timeout=_TIMEOUT
            )

    def remove(self, letters: Sequence[DeadLetter]) -> None:
        """Ack letters; those of other topics are ignored."""
        ours = [letter.message_id for letter in letters if letter.topic == self.topic]
        if not ours:
            return
        ack_ids = [self._ack_ids[message_id] for message_id in ours]
        self.client.acknowledge(subscription=self.subscription, ack_ids=ack_ids, timeout=_TIMEOUT)
        with self._lock:
            for message_id in ours:
                del self.letters[message_id], self._ack_ids[message_id]

    def _hold(self, received: Sequence[ReceivedMessage]) -> bool:
        """Store pulled letters, and return whether any of them is new; a redelivered letter has a new ack id."""
        before = len(self.letters)
        with self._lock:
            for one in received:
                letter = _letter(self.topic, one)
                self.letters.setdefault(letter.message_id, letter)
                self._ack_ids[letter.message_id] = one.ack_id
        return len(self.letters) > before

    def _pull(self, quiet_seconds: float) -> Sequence[ReceivedMessage]:
        try:
            answer = self.client.pull(subscription=self.subscription, max_messages=BATCH, timeout=quiet_seconds)
        except (DeadlineExceeded, NotFound):
            # A mesh with the forwarder switched off has no subscription for pages.
            return ()
        return list(answer.received_messages)


def batches(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """Yield the items in order, in batches of a size."""
    return (items[at : at + size] for at in range(0, len(items), size))


def _letter(topic: str, received: ReceivedMessage) -> DeadLetter:
    message = received.message
    attributes = dict(message.attributes)
    return DeadLetter(
        topic=topic,
        id=attributes.get(SOURCE_MESSAGE_ID) or message.message_id,
        message=message.data,
        attributes=attributes,
        published=datetime.fromtimestamp(message.publish_time.timestamp(), UTC),
        message_id=message.message_id,
    )
