"""The stored messages: enqueue per subscription, replay, delete."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from threading import Condition

from infra.local.pubsub_server.catalog import Catalog, Resource
from infra.local.pubsub_server.database import Database, Transaction
from infra.local.pubsub_server.faults import Faults
from infra.local.pubsub_server.rpc import Message, PubsubMessage, seconds

Clock = Callable[[], float]
# Pub/Sub's maximum retention.
_MAX_RETENTION_SECONDS = 31 * 24 * 60 * 60.0


class MessageStore:
    """The messages of all topics, and which subscriptions have not acknowledged them yet.

    `clock` dates messages; it can be set back. Deliveries wait by `timer`, which only goes on.
    """

    def __init__(
        self,
        database: Database,
        catalog: Catalog,
        faults: Faults,
        *,
        clock: Clock = time.time,
        timer: Clock = time.monotonic,
    ) -> None:
        self.database, self.catalog, self.faults = database, catalog, faults
        self.clock, self.timer = clock, timer
        # By subscription id; notified when the subscription may have something to deliver.
        self.changed: dict[int, Condition] = defaultdict(lambda: Condition(database.lock))

    def publish(self, topic: Resource, messages: Iterable[Message]) -> list[str]:
        """Store messages for every subscription of the topic, all or none; return their ids."""
        with self.database.transaction() as transaction:
            return [str(self.add(transaction, topic, message)) for message in messages]

    def add(self, transaction: Transaction, topic: Resource, message: Message) -> int:
        """Store one message and return its id; like Pub/Sub, ignore the id and time in the message."""
        kept = PubsubMessage(data=message.data, attributes=message.attributes, ordering_key=message.ordering_key)
        values = {"topic": topic.id, "published_at": self.clock(), "body": kept.SerializeToString()}
        [message_id] = transaction.run("insert_message", **values).fetchone()
        for subscription in self.catalog.subscriptions_of(topic.name):
            self._enqueue(transaction, subscription, message_id, kept)
        return int(message_id)

    def _enqueue(self, transaction: Transaction, subscription: Resource, message_id: int, message: Message) -> None:
        if not subscription.matches(message.attributes):
            return
        delay = self.faults.fires("delay", subscription.short_name)
        transaction.run(
            "enqueue",
            subscription=subscription.id,
            message=message_id,
            available_at=self.timer() + (delay.seconds if delay else 0.0),
            ordering_key=message.ordering_key if subscription.config.enable_message_ordering else "",
        )
        self.changed[subscription.id].notify()

    def acknowledge(self, transaction: Transaction, subscription: Resource, message_id: int) -> None:
        """Delete a delivery, and the message if no subscription needs it; release the next of its ordering key."""
        transaction.run("acknowledge", subscription=subscription.id, message=message_id)
        if subscription.config.enable_message_ordering:
            self.changed[subscription.id].notify()
        if not self.catalog.acknowledged_retention_seconds(subscription.topic):
            transaction.run("delete_message_unless_awaited", message=message_id)

    def seek(self, subscription: Resource, moment: float) -> None:
        """Acknowledge everything published before a time; enqueue again the retained messages since."""
        with self.database.transaction() as transaction:
            topic = self.catalog.get(subscription.topic)
            if topic is None:
                return
            self._acknowledge_before(transaction, subscription, topic, moment)
            since = max(moment, self.clock() - self.catalog.acknowledged_retention_seconds(topic.name))
            for message_id, body in transaction.run("messages_since", topic=topic.id, since=since):
                self._enqueue(transaction, subscription, message_id, PubsubMessage.FromString(body))

    def delete_expired(self) -> None:
        """Delete messages past their retention."""
        with self.database.transaction() as transaction:
            for topic in self.catalog.topics():
                for subscription in self.catalog.subscriptions_of(topic.name):
                    retention = seconds(subscription.config.message_retention_duration)
                    self._acknowledge_before(transaction, subscription, topic, self.clock() - retention)
                retention = self.catalog.acknowledged_retention_seconds(topic.name) or _MAX_RETENTION_SECONDS
                transaction.run("delete_messages_before", topic=topic.id, before=self.clock() - retention)

    def _acknowledge_before(
        self, transaction: Transaction, subscription: Resource, topic: Resource, before: float
    ) -> None:
        transaction.run("acknowledge_before", subscription=subscription.id, topic=topic.id, before=before)
        self.changed[subscription.id].notify()

    def backlog(self) -> dict[str, dict[str, float]]:
        """Return each subscription's number of unacknowledged messages, and the age of the oldest in seconds."""
        with self.database.transaction() as transaction:
            return {one.name: self._backlog_of(transaction, one) for one in self.catalog.subscriptions()}

    def _backlog_of(self, transaction: Transaction, subscription: Resource) -> dict[str, float]:
        count, published_at = transaction.run("count_backlog", subscription=subscription.id).fetchone()
        return {"messages": count, "oldest_seconds": self.clock() - published_at if count else 0.0}
