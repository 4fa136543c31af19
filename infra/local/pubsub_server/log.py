"""The messages that are kept: added for every subscription of a topic, replayed, forgotten."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from sqlite3 import Connection
from threading import Condition

from infra.local.pubsub_server.catalog import Catalog, Resource
from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.faults import Faults
from infra.local.pubsub_server.rpc import Message, PubsubMessage, seconds

Clock = Callable[[], float]
# The most that Pub/Sub keeps anything.
_LONGEST = 31 * 24 * 60 * 60.0
_UNWANTED = "NOT EXISTS (SELECT 1 FROM deliveries WHERE message = id)"
_ENQUEUE = """
    INSERT OR IGNORE INTO deliveries SELECT ?1, ?2, IIF(EXISTS (SELECT 1 FROM deliveries WHERE
    subscription = ?1 AND ordering_key = ?3 AND ordering_key <> ''), 1e12, ?4), 0, ?3"""
_DISCARD = """
    DELETE FROM deliveries WHERE subscription = ? AND message <= (
    SELECT id FROM messages WHERE topic = ? AND published_at < ? ORDER BY published_at DESC, id DESC LIMIT 1)"""
_WAITING = """
    SELECT COUNT(*), (SELECT published_at FROM messages, deliveries AS one WHERE id = one.message
    AND subscription = :one ORDER BY one.message LIMIT 1) FROM deliveries WHERE subscription = :one"""


class Log:
    """The messages of all topics, and which subscriptions have still to acknowledge them."""

    def __init__(self, database: Database, catalog: Catalog, faults: Faults, clock: Clock = time.time) -> None:
        self.database, self.catalog, self.faults, self.clock = database, catalog, faults, clock
        # Rung when a subscription may have something to deliver.
        self.bells: dict[int, Condition] = defaultdict(lambda: Condition(database.lock))

    def publish(self, topic: Resource, messages: Iterable[Message]) -> list[str]:
        """Hold messages for every subscription of the topic, all or none; return their ids."""
        with self.database.transaction() as run:
            return [str(self.add(run, topic, message)) for message in messages]

    def add(self, run: Connection, topic: Resource, message: Message) -> int:
        """Hold one message; what it says of its id and time does not count."""
        kept = PubsubMessage(data=message.data, attributes=message.attributes, ordering_key=message.ordering_key)
        sql = "INSERT INTO messages (topic, published_at, body) VALUES (?, ?, ?) RETURNING id"
        [number] = run.execute(sql, (topic.id, self.clock(), kept.SerializeToString())).fetchone()
        for one in self.catalog.of_topic(topic.name):
            self._enqueue(run, one, number, kept)
        return int(number)

    def _enqueue(self, run: Connection, one: Resource, number: int, message: Message) -> None:
        if one.wants(message.attributes):
            rule = self.faults.fires("delay", one.short)
            key = message.ordering_key if one.config.enable_message_ordering else ""
            run.execute(_ENQUEUE, (one.id, number, key, self.clock() + (rule.seconds if rule else 0.0)))
            self.bells[one.id].notify()

    def remove(self, run: Connection, one: Resource, number: int) -> None:
        """Be done with a message; the next of its ordering key may go."""
        run.execute("DELETE FROM deliveries WHERE subscription = ? AND message = ?", (one.id, number))
        if one.config.enable_message_ordering:
            self.bells[one.id].notify()
        if not self.catalog.kept_seconds(one.config.topic):
            run.execute(f"DELETE FROM messages WHERE id = ? AND {_UNWANTED}", (number,))

    def seek(self, one: Resource, moment: float) -> None:
        """Acknowledge what was published before a moment; bring back what is kept of the time since."""
        with self.database.transaction() as run:
            if topic := self.catalog.get(one.config.topic):
                self._discard(run, one, topic, moment)
                since = max(moment, self.clock() - self.catalog.kept_seconds(topic.name))
                sql = "SELECT id, body FROM messages WHERE topic = ? AND published_at >= ? ORDER BY published_at"
                for number, body in run.execute(sql, (topic.id, since)):
                    self._enqueue(run, one, number, PubsubMessage.FromString(body))

    def tidy(self) -> None:
        """Forget what is past its retention."""
        with self.database.transaction() as run:
            for topic in self.catalog.every("topics"):
                for one in self.catalog.of_topic(topic.name):
                    self._discard(run, one, topic, self.clock() - seconds(one.config.message_retention_duration))
                before = self.clock() - (self.catalog.kept_seconds(topic.name) or _LONGEST)
                sql = f"DELETE FROM messages WHERE topic = ? AND published_at < ? AND {_UNWANTED}"
                run.execute(sql, (topic.id, before))

    def _discard(self, run: Connection, one: Resource, topic: Resource, before: float) -> None:
        # Ids rise with time: one look into an index finds the last message that goes.
        run.execute(_DISCARD, (one.id, topic.id, before))
        self.bells[one.id].notify()

    def waiting(self) -> dict[str, dict[str, float]]:
        """Return how many messages each subscription has not acknowledged, and the age of the oldest."""
        with self.database.transaction() as run:
            every, now = self.catalog.every("subscriptions"), self.clock()
            found = [(one.name, *run.execute(_WAITING, {"one": one.id}).fetchone()) for one in every]
        return {name: {"messages": count, "oldest_seconds": now - (at or now)} for name, count, at in found}
