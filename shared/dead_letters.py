"""Dead letters: why a message was given up, by whom, and after how many deliveries.

Two write them: a service that met Poison says the reason itself; Pub/Sub, which gives up when the attempts are spent,
says only its subscription and the count, in attributes of the same names.
"""

from collections.abc import Mapping

from shared.envelope import Delivery
from shared.ports import Outgoing

# The names that Pub/Sub itself puts on a message it dead-letters, so that one reader understands both.
SOURCE_SUBSCRIPTION = "CloudPubSubDeadLetterSourceSubscription"
SOURCE_DELIVERY_COUNT = "CloudPubSubDeadLetterSourceDeliveryCount"
REASON = "reason"
SOURCE_MESSAGE_ID = "source_message_id"

# A Pub/Sub attribute value holds 1024 bytes (cloud.google.com/pubsub/quotas).
_ATTRIBUTE_BYTES = 1024

# Reasons that begin so are nobody's verdict on the message; the planner asks for such minutes once more.
ATTEMPTS_SPENT = "attempts spent"


def dead_reason(attributes: Mapping[str, str]) -> str:
    """Return why a message was given up."""
    if reason := attributes.get(REASON):
        return reason
    count = attributes.get(SOURCE_DELIVERY_COUNT, "an unknown number of")
    subscription = attributes.get(SOURCE_SUBSCRIPTION, "an unknown subscription")
    return f"{ATTEMPTS_SPENT}: {count} deliveries by {subscription}"


def dead_attempts(attributes: Mapping[str, str]) -> int | None:
    """Return after how many deliveries a message was given up, when its attributes say so."""
    count = attributes.get(SOURCE_DELIVERY_COUNT, "")
    # isdecimal alone would let other scripts' digits through, and a count of 19 digits does not fit the ledger.
    return int(count) if count.isascii() and count.isdecimal() and len(count) < 10 else None


def dead_letter(delivery: Delivery, reason: str) -> Outgoing:
    """Return the message as it goes to the dead-letter topic: body and attributes kept, reason and origin added."""
    attributes = {
        **delivery.message.attributes,
        REASON: clip(reason),
        SOURCE_SUBSCRIPTION: delivery.subscription.rpartition("/")[2],
        SOURCE_DELIVERY_COUNT: str(max(delivery.attempt, 1)),
        SOURCE_MESSAGE_ID: delivery.message.message_id,
    }
    return Outgoing(delivery.message.data, attributes)


def clip(text: str) -> str:
    """Shorten a text to what a Pub/Sub attribute value holds."""
    return text.encode()[:_ATTRIBUTE_BYTES].decode(errors="ignore")
