"""Delivery: leases, acknowledgements, backoff, dead letters."""

import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from infra.local.pubsub_server.catalog import Resource
from infra.local.pubsub_server.database import Transaction
from infra.local.pubsub_server.message_store import MessageStore
from infra.local.pubsub_server.rpc import Message, ReceivedMessage, Refused, seconds

# The maximum of one pull, which also limits memory.
_MAX_BYTES = 10_000_000
# While a subscription is paused or frozen, its due messages are checked this often.
_MIN_WAIT_SECONDS = 0.02


class Lease(NamedTuple):
    """A message leased to a subscriber, with its delivery attempt; its fields are parameters of statements."""

    subscription: int
    message: int
    attempts: int

    @property
    def ack_id(self) -> str:
        """The ack id."""
        return f"{self.subscription}-{self.message}-{self.attempts}"


class Leases:
    """Leases messages to subscribers; thread-safe."""

    def __init__(self, store: MessageStore) -> None:
        """Resume from the file; leased and backing-off messages are due at once, since no lease survives a restart."""
        self.store = store
        self._paused_until: dict[int, float] = {}
        with store.database.transaction() as transaction:
            transaction.run("end_all_leases", now=store.timer())

    def lease(self, subscription: Resource, limit: int, lease_seconds: float, wait: float = 0.0) -> list[Message]:
        """Lease up to `limit` messages as ReceivedMessage; wait up to `wait` seconds for the first."""
        until = time.monotonic() + wait
        with self.store.database.lock:
            while not (received := self._lease_due(subscription, limit, lease_seconds)):
                left = until - time.monotonic()
                if left <= 0:
                    break
                self.store.changed[subscription.id].wait(min(left, self._seconds_to_next(subscription, left)))
            return received

    def _lease_due(self, subscription: Resource, limit: int, lease_seconds: float) -> list[Message]:
        if self._is_paused(subscription) or self.store.faults.fires("freeze", subscription.short_name):
            return []
        received: list[Message] = []
        size = 0
        with self.store.database.transaction() as transaction:
            for message, attempts in self._due(transaction, subscription, limit):
                lease = Lease(subscription.id, message, attempts)
                if size < _MAX_BYTES and not self._dead_letter(transaction, subscription, lease):
                    received.append(self._begin(transaction, subscription, lease, lease_seconds))
                    size += received[-1].ByteSize()
        return received

    def _due(self, transaction: Transaction, subscription: Resource, limit: int) -> list[tuple[int, int]]:
        reordered = self.store.faults.fires("reorder", subscription.short_name)
        statement = "due_newest_first" if reordered else "due_oldest_first"
        values = {"subscription": subscription.id, "now": self.store.timer(), "limit": limit}
        return transaction.run(statement, **values).fetchall()

    def _begin(self, transaction: Transaction, subscription: Resource, lease: Lease, lease_seconds: float) -> Message:
        begun = lease._replace(attempts=lease.attempts + 1)
        # A lease that expires is a nack: its message is due again only after the backoff.
        ends = self.store.timer() + lease_seconds + _backoff_seconds(subscription, begun.attempts)
        transaction.run("begin_lease", ends=ends, **lease._asdict())
        return _received(transaction, subscription, begun)

    def _seconds_to_next(self, subscription: Resource, longest: float) -> float:
        """Return the seconds until a message may be due; `longest` if only a new message can change that."""
        with self.store.database.transaction() as transaction:
            [available_at] = transaction.run("next_due", subscription=subscription.id).fetchone()
        return longest if available_at is None else max(available_at - self.store.timer(), _MIN_WAIT_SECONDS)

    def acknowledge(self, subscription: Resource, ack_ids: Iterable[str]) -> None:
        """Acknowledge messages, including those with expired leases."""
        with self.store.database.transaction() as transaction:
            for lease in _parse(subscription, ack_ids):
                if self.store.faults.fires("duplicate", subscription.short_name):
                    self._set_available(transaction, lease, after_seconds=0.0)
                else:
                    self.store.acknowledge(transaction, subscription, lease.message)

    def modify_deadline(self, subscription: Resource, ack_ids: Iterable[str], lease_seconds: float) -> None:
        """Set leases to expire in this many seconds; 0 is a nack.

        After a nack a message without attempts left goes to the dead-letter topic, others back off.
        """
        with self.store.database.transaction() as transaction:
            for lease in _parse(subscription, ack_ids):
                if lease_seconds or not self._dead_letter(transaction, subscription, lease):
                    after_seconds = lease_seconds + _backoff_seconds(subscription, lease.attempts)
                    self._set_available(transaction, lease, after_seconds)

    def _set_available(self, transaction: Transaction, lease: Lease, after_seconds: float) -> None:
        transaction.run("set_available", available_at=self.store.timer() + after_seconds, **lease._asdict())
        self.store.changed[lease.subscription].notify()

    def unexpired(self, subscription: Resource, ack_ids: Iterable[str]) -> set[str]:
        """Return the ack ids of leases that have not expired."""
        with self.store.database.transaction() as transaction:
            leases = list(_parse(subscription, ack_ids))
            found = [(lease, transaction.run("find_lease", **lease._asdict()).fetchone()) for lease in leases]
        return {lease.ack_id for lease, row in found if row and row[0] > self.store.timer()}

    def pause(self, subscription: Resource, pause_seconds: float) -> bool:
        """Pause a subscription's deliveries for this many seconds; return False if it is already paused."""
        with self.store.database.lock:
            if self._is_paused(subscription):
                return False
            self._paused_until[subscription.id] = self.store.timer() + pause_seconds
            return True

    def _is_paused(self, subscription: Resource) -> bool:
        return self._paused_until.get(subscription.id, 0.0) > self.store.timer()

    def _dead_letter(self, transaction: Transaction, subscription: Resource, lease: Lease) -> bool:
        """Move a message whose attempts are spent to the dead-letter topic, if that exists."""
        policy = subscription.config.dead_letter_policy
        topic = self.store.catalog.get(policy.dead_letter_topic)
        if topic is None or lease.attempts < policy.max_delivery_attempts:
            return False
        if transaction.run("find_lease", **lease._asdict()).fetchone():
            message = _received(transaction, subscription, lease).message
            self.store.add(transaction, topic, _dead_letter_of(message, subscription, lease.attempts))
            self.store.acknowledge(transaction, subscription, lease.message)
        return True


def _backoff_seconds(subscription: Resource, attempt: int) -> float:
    """Return the retry policy's backoff after this attempt: it doubles each time."""
    policy = subscription.config.retry_policy
    minimum, maximum = seconds(policy.minimum_backoff), seconds(policy.maximum_backoff)
    # Without a limit the power would overflow a float.
    return min(maximum, minimum * 2.0 ** min(attempt - 1, 20))


def _received(transaction: Transaction, subscription: Resource, lease: Lease) -> Message:
    published_at, body = transaction.run("read_message", message=lease.message).fetchone()
    counted = lease.attempts if subscription.config.HasField("dead_letter_policy") else 0
    received = ReceivedMessage(ack_id=lease.ack_id, delivery_attempt=counted)
    received.message.MergeFromString(body)
    received.message.message_id = str(lease.message)
    received.message.publish_time.FromMilliseconds(int(published_at * 1000))
    return received


def _parse(subscription: Resource, ack_ids: Iterable[str]) -> Iterator[Lease]:
    """Yield a subscription's leases; like Pub/Sub, ignore ids of other subscriptions."""
    for ack_id in ack_ids:
        try:
            lease = Lease(*(int(number) for number in ack_id.split("-")))
        except (TypeError, ValueError):
            raise Refused("You have passed an invalid ack ID to the service.") from None
        if lease.subscription == subscription.id:
            yield lease


def _dead_letter_of(message: Message, subscription: Resource, attempts: int) -> Message:
    """Return a message with the attributes that Pub/Sub adds to a dead letter."""
    source = {
        "DeliveryCount": str(attempts),
        "Subscription": subscription.short_name,
        "SubscriptionProject": subscription.name.split("/")[1],
        "TopicPublishTime": message.publish_time.ToJsonString(),
    }
    message.attributes.update({f"CloudPubSubDeadLetterSource{name}": value for name, value in source.items()})
    return message
