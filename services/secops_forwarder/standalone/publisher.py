"""Stands in for Pub/Sub: passes pages to the importer directly, and keeps dead letters in the bucket."""

from collections.abc import Callable

from services.secops_forwarder.standalone.letters import DeadLetterFolder
from shared.contracts.dead_letters import given_up
from shared.contracts.interfaces import Bucket, Outgoing
from shared.contracts.messages import IocPageLanded, Message
from shared.contracts.outcomes import Poison
from shared.streams.delivery_progress import find_delivery


class InProcessPublisher:
    """Delivers what is published; `accepted` counts notifications, `dead` has the letters of this process."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._letters = DeadLetterFolder(bucket)
        self.deliver: Callable[[IocPageLanded], None] = lambda _: None
        self.accepted = 0
        self.dead: list[str] = []

    def publish(self, *messages: Message | Outgoing) -> int:
        """Process every message; an exception ends the poll."""
        for message in messages:
            if isinstance(message, IocPageLanded):
                self.hand_over(message)
            else:
                self.dead.append(self._letters.keep(message))
        return len(messages)

    def hand_over(self, page: IocPageLanded, redriven: int = 0) -> bool:
        """Deliver a page, counting what is accepted; return False if it became a dead letter."""
        before = self._accepted_of(page)
        try:
            self.deliver(page)
        except Poison as poison:
            self.dead.append(self._letters.keep(given_up(page, poison), redriven))
            return False
        finally:
            self.accepted += self._accepted_of(page) - before
        return True

    def _accepted_of(self, page: IocPageLanded) -> int:
        delivery = find_delivery(self._bucket, self._bucket.name_of(page.uri))
        return delivery.accepted if delivery else 0
