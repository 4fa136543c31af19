"""Dead letters, read from the subscriptions that keep them, and left there."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

from services.console.mesh import Mesh
from shared.messages import FEED_MINUTES, MINUTES_LANDED, dead_letter_topic
from shared.outcomes import Retryable
from shared.push import REASON, SOURCE_DELIVERY_COUNT, SOURCE_SUBSCRIPTION

_TIMEOUT = 10.0
# A pull from an empty subscription waits; after this long without a message there is none.
_QUIET_SECONDS = 2.0
_MOST = 100


@dataclass(frozen=True)
class DeadLetter:
    """A message that was given up."""

    topic: str
    reason: str
    message: str

    def report(self) -> dict[str, str]:
        """Return the letter as the report has it."""
        return {"topic": self.topic, "reason": self.reason, "message": self.message}


def peek_dead_letters(mesh: Mesh) -> list[DeadLetter]:
    """Return up to 100 dead letters of each topic; every one stays where it is."""
    topics = [dead_letter_topic(topic) for topic in (FEED_MINUTES, MINUTES_LANDED)]
    with SubscriberClient() as client, ThreadPoolExecutor() as pool:
        found = pool.map(lambda topic: _peek(client, mesh.settings.project, topic), topics)
        return [letter for letters in found for letter in letters]


def _peek(client: SubscriberClient, project: str, topic: str) -> list[DeadLetter]:
    subscription = client.subscription_path(project, topic)
    held: list[ReceivedMessage] = []
    try:
        while received := _pull(client, subscription, _MOST - len(held)):
            held += received
        if held:
            # A deadline of nothing gives them back at once.
            client.modify_ack_deadline(
                subscription=subscription,
                ack_ids=[message.ack_id for message in held],
                ack_deadline_seconds=0,
                timeout=_TIMEOUT,
            )
    except GoogleAPICallError as error:
        raise Retryable(f"subscription {topic!r} cannot be read: {error.message}") from None
    return [_letter(topic, message.message) for message in held]


def _pull(client: SubscriberClient, subscription: str, most: int) -> list[ReceivedMessage]:
    if most < 1:
        return []
    try:
        answer = client.pull(subscription=subscription, max_messages=most, timeout=_QUIET_SECONDS)
    except DeadlineExceeded:
        return []
    return list(answer.received_messages)


def _letter(topic: str, message: PubsubMessage) -> DeadLetter:
    return DeadLetter(topic, _reason(dict(message.attributes)), message.data.decode(errors="replace"))


def _reason(attributes: dict[str, str]) -> str:
    spent = f"{attributes.get(SOURCE_DELIVERY_COUNT, '?')} deliveries to {attributes.get(SOURCE_SUBSCRIPTION, '?')}"
    return attributes.get(REASON) or f"attempts spent: {spent}"
