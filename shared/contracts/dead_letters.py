"""Dead letters: why a message was given up, by which subscription, and after how many deliveries.

A service that raises Poison records the error type and the reason itself. Pub/Sub, which gives up when the delivery
attempts are spent, sets only the subscription and the delivery count, in attributes of the same names.
"""

from collections.abc import Mapping
from typing import cast

from shared.contracts.first_release import type_of_reason
from shared.contracts.interfaces import Outgoing
from shared.contracts.messages import Message, dead_letter_topic
from shared.contracts.outcomes import DEAD_LETTER_TYPES, DeadLetterType, Poison
from shared.contracts.push_envelope import Delivery

# Pub/Sub sets attributes of these names on a message that it dead-letters, so one reader handles both.
SOURCE_SUBSCRIPTION = "CloudPubSubDeadLetterSourceSubscription"
SOURCE_DELIVERY_COUNT = "CloudPubSubDeadLetterSourceDeliveryCount"
REASON = "reason"
ERROR_TYPE = "error_type"
SOURCE_MESSAGE_ID = "source_message_id"

# The subscription by which landed hours go to SecOps (infra/topology.yaml); its name may begin with the mesh's prefix.
SECOPS_LANDINGS = "secops-landings"

# A Pub/Sub attribute value holds 1024 bytes (cloud.google.com/pubsub/quotas).
_ATTRIBUTE_BYTES = 1024


def dead_letter_type(error_type: str | None, reason: str | None) -> DeadLetterType:
    """Return the error type of a dead letter or ledger row; the first release wrote none."""
    if error_type in DEAD_LETTER_TYPES:
        return cast("DeadLetterType", error_type)
    # A type of a later revision is reported as unknown, whatever the reason says.
    return "unknown" if error_type else type_of_reason(reason or "")


def dead_error_type(attributes: Mapping[str, str]) -> DeadLetterType:
    """Return the error type of a dead letter; Pub/Sub itself dead-letters for only one cause."""
    return dead_letter_type(attributes.get(ERROR_TYPE), dead_reason(attributes))


def dead_reason(attributes: Mapping[str, str]) -> str:
    """Return why a message was given up."""
    if reason := attributes.get(REASON):
        return reason
    count = attributes.get(SOURCE_DELIVERY_COUNT, "an unknown number of")
    subscription = attributes.get(SOURCE_SUBSCRIPTION, "an unknown subscription")
    return f"attempts spent: {count} deliveries by {subscription}"


def spent_reason(delivery: Delivery, error: str) -> str:
    """Return the reason for giving up a message whose last delivery failed with this error."""
    deliveries = f"{delivery.attempt} deliveries by {delivery.subscription.rpartition('/')[2]}"
    return f"attempts spent: {deliveries}; the last error: {error}"


def dead_attempts(attributes: Mapping[str, str]) -> int | None:
    """Return the number of deliveries before a message was given up, or None if its attributes do not have it."""
    count = attributes.get(SOURCE_DELIVERY_COUNT, "")
    # isdecimal alone would accept digits of other scripts, and a count of 19 digits does not fit the ledger.
    return int(count) if count.isascii() and count.isdecimal() and len(count) < 10 else None


def is_about_secops(source: str | None) -> bool:
    """Return whether a letter by a subscription says that SecOps lacks a landing, of which BigQuery may have all."""
    return (source or "").endswith(SECOPS_LANDINGS)


def dead_letter(topic: str, delivery: Delivery, poison: Poison) -> Outgoing:
    """Return a message for the dead-letter topic: the given-up message plus attributes for the cause and the source."""
    attributes = {
        **delivery.message.attributes,
        **_why(poison),
        SOURCE_SUBSCRIPTION: delivery.subscription.rpartition("/")[2],
        SOURCE_DELIVERY_COUNT: str(max(delivery.attempt, 1)),
        SOURCE_MESSAGE_ID: delivery.message.message_id,
    }
    return Outgoing(dead_letter_topic(topic), delivery.message.data, attributes)


def given_up(message: Message, poison: Poison) -> Outgoing:
    """Return a message that was never delivered, for the dead-letter topic, with the cause added."""
    return Outgoing(dead_letter_topic(message.topic), message.body, {**message.attributes, **_why(poison)})


def _why(poison: Poison) -> dict[str, str]:
    return {ERROR_TYPE: poison.error_type, REASON: clip(poison.reason)}


def clip(text: str) -> str:
    """Shorten a text to the size limit of a Pub/Sub attribute value."""
    return text.encode()[:_ATTRIBUTE_BYTES].decode(errors="ignore")
