"""The messages that are kept: added for every subscription of a topic, replayed, forgotten."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from sqlite3 import Connection
from threading import Condition

from infra.local.pubsub_server.catalog import Catalog, Resource
from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.faults import Faults
from infra.local.pubsub_server.wire import Message, PubsubMessage, seconds

# Where a message waits for an earlier one of its ordering key: later than any clock.
BEHIND = 1e12
# The most that Pub/Sub keeps anything.
_LONGEST = 31 * 24 * 60 * 60.0
_UNWANTED = "NOT EXISTS (SELECT 1 FROM deliveries WHERE message = id)"


class Log:
    """The messages of all topics, and which subscriptions have still to acknowledge them."""

    def __init__(
        self, database: Database, catalog: Catalog, faults: Faults, clock: Callable[[], float] = time.time
    ) -> None:
        self.database = database
        self.catalog = catalog
        self.faults = faults
        self.clock = clock
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
        if not one.wants(message.attributes):
            return
        at, key = self.clock(), message.ordering_key if one.config.enable_message_ordering else ""
        if rule := self.faults.fires("delay", one.short):
            at += rule.seconds
        if key and self._first(run, one, key):
            at = BEHIND
        run.execute("INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, 0, ?)", (one.id, number, at, key))
        self.bells[one.id].notify()

    def remove(self, run: Connection, one: Resource, number: int) -> None:
        """Be done with a message; the next of its ordering key may go."""
        sql = "DELETE FROM deliveries WHERE subscription = ? AND message = ? RETURNING ordering_key"
        for [key] in run.execute(sql, (one.id, number)).fetchall():
            self._let_go(run, one, [key] if key else [])
            if not self.catalog.kept_seconds(one.config.topic):
                run.execute(f"DELETE FROM messages WHERE id = ? AND {_UNWANTED}", (number,))  # noqa: S608

    def _let_go(self, run: Connection, one: Resource, keys: Iterable[str]) -> None:
        for key in keys:
            sql = "UPDATE deliveries SET available_at = ? WHERE subscription = ? AND message = ? AND available_at = ?"
            run.execute(sql, (self.clock(), one.id, self._first(run, one, key), BEHIND))
            self.bells[one.id].notify()

    def _first(self, run: Connection, one: Resource, key: str) -> int | None:
        sql = "SELECT MIN(message) FROM deliveries WHERE subscription = ? AND ordering_key = ? AND ordering_key <> ''"
        found: int | None = run.execute(sql, (one.id, key)).fetchone()[0]
        return found

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
                sql = f"DELETE FROM messages WHERE topic = ? AND published_at < ? AND {_UNWANTED}"  # noqa: S608
                run.execute(sql, (topic.id, before))

    def _discard(self, run: Connection, one: Resource, topic: Resource, before: float) -> None:
        # Ids rise with time: one look into an index finds the last message that goes.
        last = (
            "SELECT id FROM messages WHERE topic = ? AND published_at < ? ORDER BY published_at DESC, id DESC LIMIT 1"
        )
        sql = f"DELETE FROM deliveries WHERE subscription = ? AND message <= ({last})"  # noqa: S608
        run.execute(sql, (one.id, topic.id, before))
        keys = "SELECT DISTINCT ordering_key FROM deliveries WHERE subscription = ? AND ordering_key <> ''"
        self._let_go(run, one, [key for [key] in run.execute(keys, (one.id,)).fetchall()])

    def waiting(self) -> dict[str, dict[str, float]]:
        """Return how many messages each subscription has not acknowledged, and the age of the oldest."""
        sql = "SELECT COUNT(*), MIN(message) FROM deliveries WHERE subscription = ?"
        found = {}
        with self.database.transaction() as run:
            for one in self.catalog.every("subscriptions"):
                count, oldest = run.execute(sql, (one.id,)).fetchone()
                row = run.execute("SELECT published_at FROM messages WHERE id = ?", (oldest,)).fetchone()
                found[one.name] = {"messages": count, "oldest_seconds": self.clock() - row[0] if row else 0.0}
        return found
