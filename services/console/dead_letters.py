"""Dead letters, read from the subscriptions that keep them, and left there."""

from dataclasses import dataclass

from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from services.console.mesh import Mesh
from shared.messages import FEED_MINUTES, MINUTES_LANDED, dead_letter_topic
from shared.outcomes import Retryable
from shared.push import REASON, SOURCE_DELIVERY_COUNT, SOURCE_SUBSCRIPTION

_TIMEOUT = 10.0
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
    letters = []
    with SubscriberClient() as client:
        for topic in (FEED_MINUTES, MINUTES_LANDED):
            letters += _peek(client, mesh.settings.project, dead_letter_topic(topic))
    return letters


def _peek(client: SubscriberClient, project: str, topic: str) -> list[DeadLetter]:
    subscription = client.subscription_path(project, topic)
    try:
        answer = client.pull(subscription=subscription, max_messages=_MOST, timeout=_TIMEOUT)
        if ids := [received.ack_id for received in answer.received_messages]:
            client.modify_ack_deadline(subscription=subscription, ack_ids=ids, ack_deadline_seconds=0, timeout=_TIMEOUT)
    except DeadlineExceeded:
        # A pull from an empty subscription may wait until its deadline.
        return []
    except GoogleAPICallError as error:
        raise Retryable(f"subscription {topic!r} cannot be read: {error.message}") from None
    return [
        DeadLetter(topic, _reason(dict(received.message.attributes)), received.message.data.decode(errors="replace"))
        for received in answer.received_messages
    ]


def _reason(attributes: dict[str, str]) -> str:
    spent = f"{attributes.get(SOURCE_DELIVERY_COUNT, '?')} deliveries to {attributes.get(SOURCE_SUBSCRIPTION, '?')}"
    return attributes.get(REASON) or f"attempts spent: {spent}"
