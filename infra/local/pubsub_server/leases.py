"""Delivering: leases, acknowledgements, backoff, dead letters."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from sqlite3 import Connection

from infra.local.pubsub_server.catalog import Resource
from infra.local.pubsub_server.log import BEHIND, Log
from infra.local.pubsub_server.wire import Message, PubsubMessage, seconds

# Of one pull, and so of what is in memory at once.
_MOST_BYTES = 10_000_000
# While a subscription rests or is frozen, its due messages are looked at this often.
_SHORTEST_WAIT = 0.02
_SOURCE = "CloudPubSubDeadLetterSource"
_DUE = (
    "SELECT message, attempts FROM deliveries WHERE subscription = ? AND available_at <= ?"
    " ORDER BY available_at {0}, message {0} LIMIT ?"
)
_LEASE = "UPDATE deliveries SET available_at = ?, attempts = ? WHERE subscription = ? AND message = ?"
_HAS = "SELECT 1 FROM deliveries WHERE subscription = ? AND message = ? AND attempts = ?"


@dataclass(frozen=True)
class Lease:
    """A message in the hands of a subscriber for the n-th time."""

    message: int
    attempt: int


@dataclass(frozen=True)
class Delivery:
    """A lease with its message."""

    lease: Lease
    message: Message


class Leases:
    """What subscribers get and give back; safe for several threads."""

    def __init__(self, log: Log) -> None:
        """Go on from the file: what was leased or backing off is due at once, for nobody holds a lease any more."""
        self._log = log
        self._resting: dict[int, float] = {}
        sql = "UPDATE deliveries SET available_at = ? WHERE subscription = ? AND available_at BETWEEN ? AND ?"
        with log.database.transaction() as run:
            now = log.clock()
            for one in log.catalog.every("subscriptions"):
                run.execute(sql, (now, one.id, now, BEHIND - 1))

    def take(self, one: Resource, most: int, lease_seconds: float, wait: float = 0.0) -> list[Delivery]:
        """Lease up to so many messages, waiting up to `wait` seconds for the first."""
        until = time.monotonic() + wait
        with self._log.database.lock:
            while not (found := self._take(one, most, lease_seconds)) and (left := until - time.monotonic()) > 0:
                self._log.bells[one.id].wait(min(left, self._next_due(one)))
            return found

    def _take(self, one: Resource, most: int, lease_seconds: float) -> list[Delivery]:
        if self._resting.get(one.id, 0.0) > self._log.clock() or self._log.faults.fires("freeze", one.short):
            return []
        order = "DESC" if self._log.faults.fires("reorder", one.short) else "ASC"
        found, size = [], 0
        with self._log.database.transaction() as run:
            due = run.execute(_DUE.format(order), (one.id, self._log.clock(), most)).fetchall()
            for number, attempts in due:
                if not self._bury(run, one, Lease(number, attempts)) and size < _MOST_BYTES:
                    found.append(self._lease(run, one, Lease(number, attempts + 1), lease_seconds))
                    size += found[-1].message.ByteSize()
        return found

    def _lease(self, run: Connection, one: Resource, lease: Lease, lease_seconds: float) -> Delivery:
        # A lease that ends without an answer is a nack, so its message is due again only after the backoff.
        ends = self._log.clock() + lease_seconds + _backoff(one, lease)
        run.execute(_LEASE, (ends, lease.attempt, one.id, lease.message))
        return Delivery(lease, _read(run, lease.message))

    def _next_due(self, one: Resource) -> float:
        sql = "SELECT MIN(available_at) FROM deliveries WHERE subscription = ?"
        with self._log.database.transaction() as run:
            [due] = run.execute(sql, (one.id,)).fetchone()
        return float(max((due or BEHIND) - self._log.clock(), _SHORTEST_WAIT))

    def acknowledge(self, one: Resource, leases: Iterable[Lease]) -> None:
        """Be done with messages; a lease that has ended is as good as one that has not."""
        with self._log.database.transaction() as run:
            for lease in leases:
                if self._log.faults.fires("duplicate", one.short):
                    self._move(run, one, lease, 0.0)
                else:
                    self._log.remove(run, one, lease.message)

    def postpone(self, one: Resource, leases: Iterable[Lease], by: float) -> None:
        """Lengthen leases; by 0 they end, and a message whose attempts are spent goes to the dead-letter topic."""
        with self._log.database.transaction() as run:
            for lease in leases:
                if by or not self._bury(run, one, lease):
                    self._move(run, one, lease, by + _backoff(one, lease))

    def _move(self, run: Connection, one: Resource, lease: Lease, by: float) -> None:
        # A lease that has passed to another delivery stays as it is.
        sql = "UPDATE deliveries SET available_at = ? WHERE subscription = ? AND message = ? AND attempts = ?"
        run.execute(sql, (self._log.clock() + by, one.id, lease.message, lease.attempt))
        self._log.bells[one.id].notify()

    def held(self, one: Resource, leases: Iterable[Lease]) -> set[Lease]:
        """Return those leases that still run."""
        sql = "SELECT 1 FROM deliveries WHERE subscription = ? AND message = ? AND attempts = ? AND available_at > ?"
        with self._log.database.transaction() as run:
            now = self._log.clock()
            return {it for it in leases if run.execute(sql, (one.id, it.message, it.attempt, now)).fetchone()}

    def rest(self, one: Resource, pause: float) -> bool:
        """Deliver nothing of a subscription for so many seconds; return False when it rests already."""
        with self._log.database.lock:
            now = self._log.clock()
            if self._resting.get(one.id, 0.0) > now:
                return False
            self._resting[one.id] = now + pause
            return True

    def _bury(self, run: Connection, one: Resource, lease: Lease) -> bool:
        """Move a message whose attempts are spent to the dead-letter topic, if it has one that exists."""
        policy = one.config.dead_letter_policy
        topic = self._log.catalog.get(policy.dead_letter_topic)
        if topic is None or lease.attempt < policy.max_delivery_attempts:
            return False
        if run.execute(_HAS, (one.id, lease.message, lease.attempt)).fetchone():
            self._log.add(run, topic, _dead(_read(run, lease.message), one, lease.attempt))
            self._log.remove(run, one, lease.message)
        return True


def _backoff(one: Resource, lease: Lease) -> float:
    """Return what the retry policy says for the delivery after this one: twice as long each time."""
    if not one.config.HasField("retry_policy"):
        return 0.0
    least, most = (seconds(getattr(one.config.retry_policy, f"{end}imum_backoff")) for end in ("min", "max"))
    return min(most, least * 2.0 ** min(lease.attempt - 1, 20))


def _read(run: Connection, number: int) -> Message:
    published_at, body = run.execute("SELECT published_at, body FROM messages WHERE id = ?", (number,)).fetchone()
    message = PubsubMessage.FromString(body)
    message.message_id = str(number)
    message.publish_time.FromNanoseconds(int(published_at * 1000) * 1_000_000)
    return message


def _dead(message: Message, one: Resource, attempts: int) -> Message:
    message.attributes[f"{_SOURCE}DeliveryCount"] = str(attempts)
    message.attributes[f"{_SOURCE}Subscription"] = one.short
    message.attributes[f"{_SOURCE}SubscriptionProject"] = one.name.split("/")[1]
    message.attributes[f"{_SOURCE}TopicPublishTime"] = message.publish_time.ToJsonString()
    return message
