"""Handle one push: do the work and translate its outcome into an HTTP status for Pub/Sub.

return -> 204 (ack); Poison -> recorded on the dead-letter topic, then 204; any other exception -> 500 (redelivered with
backoff). A failed last delivery is also recorded, with its error, then answered with 204, because Pub/Sub's own dead
letters carry no reason; those remain for crashes and timeouts. Pub/Sub treats 102, 200, 201, 202 and 204 as an ack and
everything else as a nack (cloud.google.com/pubsub/docs/push).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

from flask import Request

from shared.contracts.dead_letters import dead_letter, spent_reason
from shared.contracts.interfaces import Publisher
from shared.contracts.messages import Topic
from shared.contracts.outcomes import MeshError, Poison
from shared.contracts.push_envelope import Delivery, NotAPush, read_delivery, read_message
from shared.runtime.logs import log_context
from shared.runtime.tracing import TRACEPARENT, traced

Answer = tuple[str, int]

M = TypeVar("M")

log = logging.getLogger(__name__)


def push_handler(
    topic: Topic[M], publisher: Callable[[], Publisher], max_attempts: int | None = None
) -> Callable[[Callable[[M], None]], Callable[[Request], Answer]]:
    """Make a push handler from a function of a message; `publisher` is called only for a dead letter."""

    def decorate(work: Callable[[M], None]) -> Callable[[Request], Answer]:
        # The framework registers a target by its name and accepts only plain functions.
        @wraps(work)
        def handle(request: Request) -> Answer:
            return answer_push(
                request,
                lambda delivery: work(read_message(topic, delivery)),
                topic=topic.name,
                publisher=publisher,
                max_attempts=max_attempts,
            )

        return handle

    return decorate


def answer_push(
    request: Request,
    work: Callable[[Delivery], None],
    *,
    topic: str,
    publisher: Callable[[], Publisher],
    max_attempts: int | None = None,
) -> Answer:
    """Handle one push request of a subscription to `topic`, which gives up after max_attempts deliveries."""
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
        return _outcome(delivery, work, _DeadLetters(topic, publisher, max_attempts))


@dataclass(frozen=True)
class _DeadLetters:
    topic: str
    publisher: Callable[[], Publisher]
    max_attempts: int | None

    def record(self, delivery: Delivery, poison: Poison) -> None:
        self.publisher().publish(dead_letter(self.topic, delivery, poison))
        log.error("push.poison: %s", poison.reason, extra={"fields": {"error_type": poison.error_type}})

    def record_last(self, delivery: Delivery, error: str) -> bool:
        """Record a failed delivery if it was the last one; return whether it was recorded."""
        if self.max_attempts is None or delivery.attempt < self.max_attempts:
            return False
        spent = Poison("attempts_spent", spent_reason(delivery, error))
        try:
            self.publisher().publish(dead_letter(self.topic, delivery, spent))
        except MeshError as unpublished:
            # Pub/Sub then dead-letters the message itself.
            log.warning("push.unrecorded: %s", unpublished)
            return False
        log.error("push.given_up: %s", spent.reason, extra={"fields": {"error_type": spent.error_type}})
        return True


def _outcome(delivery: Delivery, work: Callable[[Delivery], None], dead_letters: _DeadLetters) -> Answer:
    try:
        try:
            work(delivery)
        except Poison as poison:
            dead_letters.record(delivery, poison)
    except MeshError as error:
        failure = f"{type(error).__name__}: {error}"
        log.warning("push.retry: %s", failure, extra={"fields": {"error_type": error.error_type}})
    except Exception as error:
        # The only boundary where an unexpected exception becomes a nack.
        failure = f"unexpected {type(error).__name__}"
        log.exception("push.failed")
    else:
        return "", 204
    return ("", 204) if dead_letters.record_last(delivery, failure) else ("to be delivered again\n", 500)
