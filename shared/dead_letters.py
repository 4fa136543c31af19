"""Dead letters as the ledger tells them: why a message was given up, by whom, and after how many deliveries.

Two write them: a service that met Poison says the reason itself; Pub/Sub, which gives up when the attempts are spent,
says only its subscription and the count, in attributes of the same names (shared.push).
"""

from collections.abc import Mapping

from shared.push import REASON, SOURCE_DELIVERY_COUNT, SOURCE_SUBSCRIPTION

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
