"""Dead letters in the subscriptions that keep them: looked at, handed back or discarded.

None is acked before it is safe elsewhere.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError, NotFound, RetryError
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient
from google.pubsub_v1.types import ReceivedMessage

from services.console.handled import handled_name
from services.console.mesh import Mesh
from shared.dead_letters import REASON, SOURCE_MESSAGE_ID, dead_reason
from shared.messages import FEED_MINUTES, IOC_PAGES, MINUTES_LANDED, dead_letter_topic
from shared.outcomes import Retryable
from shared.ports import Outgoing

_TIMEOUT = 10.0
# A pull from an empty subscription waits; after this long without a message there is none.
_QUIET_SECONDS = 2.0
_BATCH = 500
_TOPICS = (FEED_MINUTES, MINUTES_LANDED, IOC_PAGES)
_ADDED_BY_PUBSUB = "CloudPubSubDeadLetter"
REDRIVEN = "redriven"


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up: the topic it came from, why, and itself."""

    topic: str
    id: str
    message: bytes
    attributes: Mapping[str, str]
    subscription: str
    ack_id: str

    @property
    def reason(self) -> str:
        """Why the message was given up."""
        return dead_reason(self.attributes)

    @property
    def redriven(self) -> int:
        """How often the message has been handed back before."""
        count = self.attributes.get(REDRIVEN, "0")
        return int(count) if count.isascii() and count.isdecimal() else 0

    def report(self) -> dict[str, str]:
        """Return the letter as the report has it."""
        return {
            "topic": dead_letter_topic(self.topic),
            "reason": self.reason,
            "message": self.message.decode(errors="replace"),
        }

    def original(self) -> Outgoing:
        """Return the message as it was first published, with the count of its returns raised."""
        added = (REASON, SOURCE_MESSAGE_ID)
        kept = {
            name: value
            for name, value in self.attributes.items()
            if name not in added and not name.startswith(_ADDED_BY_PUBSUB)
        }
        return Outgoing(self.message, {**kept, REDRIVEN: str(self.redriven + 1)})

    def record(self, action: str) -> bytes:
        """Return what the bucket keeps of a handled letter."""
        kept = {**self.report(), "id": self.id, "attributes": dict(self.attributes), "action": action}
        return json.dumps({**kept, "at": datetime.now(UTC).isoformat()}).encode()


class Mailbox:
    """The dead letters of every topic, held while the block runs; what was not taken out goes back."""

    def __init__(self, mesh: Mesh, client: SubscriberClient) -> None:
        self._mesh = mesh
        self._client = client
        self.letters: list[DeadLetter] = []

    def fill(self, enough: int | None = None) -> None:
        """Pull everything that is kept, or about as many letters of each topic as are enough."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda topic: self._pull_all(topic, enough), _TOPICS))
        self.letters.sort(key=lambda letter: _TOPICS.index(letter.topic))

    def redrive(self, letter: DeadLetter) -> None:
        """Hand a letter back to the topic it came from, note it, and only then take it out."""
        self._mesh.publisher.publish(letter.topic, [letter.original()])
        self._take_out(letter, "redriven")

    def discard(self, letter: DeadLetter) -> None:
        """Keep a copy of a letter in the bucket, and only then take it out."""
        self._take_out(letter, "discarded")

    def give_back(self) -> None:
        """Return what is still held; a deadline of nothing makes it available at once."""
        for subscription in {letter.subscription for letter in self.letters}:
            ids = [letter.ack_id for letter in self.letters if letter.subscription == subscription]
            for at in range(0, len(ids), _BATCH):
                self._client.modify_ack_deadline(
                    subscription=subscription,
                    ack_ids=ids[at : at + _BATCH],
                    ack_deadline_seconds=0,
                    timeout=_TIMEOUT,
                )

    def _take_out(self, letter: DeadLetter, action: str) -> None:
        self._mesh.bucket.create(handled_name(letter.topic, letter.id), letter.record(action))
        self._client.acknowledge(subscription=letter.subscription, ack_ids=[letter.ack_id], timeout=_TIMEOUT)
        self.letters.remove(letter)

    def _pull_all(self, topic: str, enough: int | None) -> None:
        path = self._client.subscription_path(self._mesh.settings.project, dead_letter_topic(topic))
        count = 0
        while (enough is None or count < enough) and (received := self._pull(path)):
            # At once, so that they are given back although the next pull, or another topic's, should fail.
            self.letters += [_letter(topic, path, one) for one in received]
            count += len(received)

    def _pull(self, path: str) -> list[ReceivedMessage]:
        try:
            answer = self._client.pull(subscription=path, max_messages=_BATCH, timeout=_QUIET_SECONDS)
        except (DeadlineExceeded, NotFound):
            # A mesh whose forwarder is switched off has no subscription for its pages.
            return []
        return list(answer.received_messages)


def _letter(topic: str, path: str, received: ReceivedMessage) -> DeadLetter:
    attributes = dict(received.message.attributes)
    return DeadLetter(
        topic=topic,
        id=attributes.get(SOURCE_MESSAGE_ID) or received.message.message_id,
        message=received.message.data,
        attributes=attributes,
        subscription=path,
        ack_id=received.ack_id,
    )


@contextmanager
def mailbox(
    mesh: Mesh, enough: int | None = None, *, subscriber: Callable[[], SubscriberClient] = SubscriberClient
) -> Iterator[Mailbox]:
    """Hold the dead letters while the block runs."""
    with subscriber() as client:
        held = Mailbox(mesh, client)
        try:
            try:
                held.fill(enough)
                yield held
            finally:
                held.give_back()
        except (GoogleAPICallError, RetryError) as error:
            raise Retryable(f"dead letters cannot be read: {error.message}") from None


def peek_dead_letters(mesh: Mesh) -> list[DeadLetter]:
    """Return about 500 dead letters of each topic; every one stays where it is."""
    with mailbox(mesh, enough=_BATCH) as held:
        return list(held.letters)


@dataclass(frozen=True)
class Choice:
    """Which letters are meant: by id, by a part of the reason, or all."""

    ids: tuple[str, ...] = ()
    reason: str | None = None
    everything: bool = False

    def wants(self, letter: DeadLetter) -> bool:
        """Say whether a letter is meant."""
        by_reason = self.reason is not None and self.reason.lower() in letter.reason.lower()
        return self.everything or by_reason or letter.id in self.ids
