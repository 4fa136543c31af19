"""Answer one push: do the work, and turn its outcome into what Pub/Sub understands.

return -> 204 (ack); Poison -> recorded on the dead-letter topic, then 204; anything raised -> 500 (redelivered
with backoff, dead-lettered by Pub/Sub when the attempts are spent). Pub/Sub takes 102, 200, 201, 202 and 204 for an
ack and everything else for a nack (cloud.google.com/pubsub/docs/push).
"""

import logging
from collections.abc import Callable

from flask import Request

from shared.dead_letters import dead_letter
from shared.envelope import Delivery, NotAPush, read_delivery
from shared.logs import log_context
from shared.messages import dead_letter_topic
from shared.outcomes import MeshError, Poison
from shared.ports import Publisher
from shared.trace import TRACEPARENT, traced

Answer = tuple[str, int]

log = logging.getLogger(__name__)


def answer_push(
    request: Request, work: Callable[[Delivery], None], *, topic: str, publisher: Callable[[], Publisher]
) -> Answer:
    """Handle one push request for a subscription of `topic`."""
    try:
        delivery = read_delivery(request.get_data())
    except NotAPush as error:
        log.warning("push.refused: %s", error)
        return f"{error}\n", 400
    message = delivery.message
    with (
        traced(message.attributes.get(TRACEPARENT), request.headers.get(TRACEPARENT)),
        log_context(
            message_id=message.message_id,
            delivery_attempt=delivery.attempt,
            feed=message.attributes.get("feed") or message.attributes.get("stream"),
            minute=message.attributes.get("minute"),
        ),
    ):
        return _outcome(delivery, work, topic, publisher)


def _outcome(
    delivery: Delivery, work: Callable[[Delivery], None], topic: str, publisher: Callable[[], Publisher]
) -> Answer:
    try:
        try:
            work(delivery)
        except Poison as poison:
            publisher().publish(dead_letter_topic(topic), [dead_letter(delivery, poison.reason)])
            log.error("push.poison: %s", poison.reason)
    except MeshError as error:
        log.warning("push.retry: %s: %s", type(error).__name__, error)
        return "to be delivered again\n", 500
    except Exception:
        # The one boundary at which everything unforeseen becomes a nack.
        log.exception("push.failed")
        return "to be delivered again\n", 500
    return "", 204
