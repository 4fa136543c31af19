"""Delivering: leases, acknowledgements, backoff, dead letters."""

import time
from collections.abc import Iterable
from sqlite3 import Connection

from infra.local.pubsub_server.catalog import Resource
from infra.local.pubsub_server.log import Log
from infra.local.pubsub_server.rpc import Message, ReceivedMessage, Refused, seconds

# Of one pull, and so of what is in memory at once.
_MOST_BYTES = 10_000_000
# While a subscription rests or is frozen, its due messages are looked at this often.
_SHORTEST_WAIT = 0.02
_DUE = """
    SELECT message, attempts FROM deliveries WHERE subscription = ? AND available_at <= ?
    ORDER BY available_at {0}, message {0} LIMIT ?"""
# A lease that has passed to another delivery is no longer this one.
_THIS = "WHERE subscription = ? AND message = ? AND attempts = ?"
_LEASE = f"UPDATE deliveries SET available_at = ?, attempts = attempts + 1 {_THIS}"


# A message in the hands of a subscriber for the n-th time: its id, and n.
Lease = tuple[int, int]


class Leases:
    """What subscribers get and give back; safe for several threads."""

    def __init__(self, log: Log) -> None:
        """Go on from the file: what was leased or backing off is due at once, for nobody holds a lease any more."""
        self.log = log
        self._resting: dict[int, float] = {}
        with log.database.transaction() as run:
            run.execute("UPDATE deliveries SET available_at = 0 WHERE available_at BETWEEN ? AND 9e11", (log.clock(),))

    def take(self, one: Resource, most: int, lease_seconds: float, wait: float = 0.0) -> list[Message]:
        """Lease up to so many messages, waiting up to `wait` seconds for the first."""
        until = time.monotonic() + wait
        with self.log.database.lock:
            while not (found := self._take(one, most, lease_seconds)) and (left := until - time.monotonic()) > 0:
                self.log.bells[one.id].wait(min(left, self._next_due(one)))
            return found

    def _take(self, one: Resource, most: int, lease_seconds: float) -> list[Message]:
        now, fires = self.log.clock(), self.log.faults.fires
        if self._resting.get(one.id, 0.0) > now or fires("freeze", one.short):
            return []
        found, size = [], 0
        with self.log.database.transaction() as run:
            due = run.execute(_DUE.format("DESC" if fires("reorder", one.short) else "ASC"), (one.id, now, most))
            for number, attempts in due.fetchall():
                if not self._bury(run, one, (number, attempts)) and size < _MOST_BYTES:
                    # A lease that ends without an answer is a nack: its message is due again only after the backoff.
                    ends = now + lease_seconds + _backoff(one, attempts + 1)
                    run.execute(_LEASE, (ends, one.id, number, attempts))
                    found.append(_received(run, one, number, attempts + 1))
                    size += found[-1].ByteSize()
        return found

    def _next_due(self, one: Resource) -> float:
        sql = "SELECT IFNULL(MIN(available_at), 1e12) FROM deliveries WHERE subscription = ?"
        with self.log.database.transaction() as run:
            return float(max(run.execute(sql, (one.id,)).fetchone()[0] - self.log.clock(), _SHORTEST_WAIT))

    def acknowledge(self, one: Resource, ack_ids: Iterable[str]) -> None:
        """Be done with messages; a lease that has ended is as good as one that has not."""
        with self.log.database.transaction() as run:
            for lease in _leases(one, ack_ids):
                if self.log.faults.fires("duplicate", one.short):
                    self._move(run, one, lease, 0.0)
                else:
                    self.log.remove(run, one, lease[0])

    def postpone(self, one: Resource, ack_ids: Iterable[str], by: float) -> None:
        """Lengthen leases; by 0 they end, and a message whose attempts are spent goes to the dead-letter topic."""
        with self.log.database.transaction() as run:
            for lease in _leases(one, ack_ids):
                if by or not self._bury(run, one, lease):
                    self._move(run, one, lease, by + _backoff(one, lease[1]))

    def _move(self, run: Connection, one: Resource, lease: Lease, by: float) -> None:
        run.execute(f"UPDATE deliveries SET available_at = ? {_THIS}", (self.log.clock() + by, one.id, *lease))
        self.log.bells[one.id].notify()

    def held(self, one: Resource, ack_ids: Iterable[str]) -> set[str]:
        """Return those leases that still run."""
        sql, now = f"SELECT 1 FROM deliveries {_THIS} AND available_at > ?", self.log.clock()
        with self.log.database.transaction() as run:
            pairs = ((ack_id, lease) for ack_id in ack_ids for lease in _leases(one, [ack_id]))
            return {ack_id for ack_id, lease in pairs if run.execute(sql, (one.id, *lease, now)).fetchone()}

    def rest(self, one: Resource, pause: float) -> bool:
        """Deliver nothing of a subscription for so many seconds; return False when it rests already."""
        with self.log.database.lock:
            now, until = self.log.clock(), self._resting.get(one.id, 0.0)
            self._resting[one.id] = until if until > now else now + pause
            return until <= now

    def _bury(self, run: Connection, one: Resource, lease: Lease) -> bool:
        """Move a message whose attempts are spent to the dead-letter topic, if it has one that exists."""
        (number, attempt), policy = lease, one.config.dead_letter_policy
        topic = self.log.catalog.get(policy.dead_letter_topic)
        if topic is None or attempt < policy.max_delivery_attempts:
            return False
        if run.execute(f"SELECT 1 FROM deliveries {_THIS}", (one.id, *lease)).fetchone():
            self.log.add(run, topic, _dead(_received(run, one, number, attempt).message, one, attempt))
            self.log.remove(run, one, number)
        return True


def _backoff(one: Resource, attempt: int) -> float:
    """Return what the retry policy says for the delivery after this one: twice as long each time."""
    policy, doubled = one.config.retry_policy, 2.0 ** min(attempt - 1, 20)
    return min(seconds(policy.maximum_backoff), seconds(policy.minimum_backoff) * doubled)


def _received(run: Connection, one: Resource, number: int, attempt: int) -> Message:
    published_at, body = run.execute("SELECT published_at, body FROM messages WHERE id = ?", (number,)).fetchone()
    counted = attempt if one.config.HasField("dead_letter_policy") else 0
    received = ReceivedMessage(ack_id=f"{one.id}-{number}-{attempt}", delivery_attempt=counted)
    received.message.MergeFromString(body)
    received.message.message_id = str(number)
    received.message.publish_time.FromNanoseconds(int(published_at * 1000) * 1_000_000)
    return received


def _leases(one: Resource, ack_ids: Iterable[str]) -> list[Lease]:
    try:
        found = [[int(number) for number in ack_id.split("-")] for ack_id in ack_ids]
        return [(message, attempt) for subscription, message, attempt in found if subscription == one.id]
    except ValueError:
        raise Refused("You have passed an invalid ack ID to the service.") from None


def _dead(message: Message, one: Resource, attempts: int) -> Message:
    told = {"DeliveryCount": str(attempts), "Subscription": one.short, "SubscriptionProject": one.name.split("/")[1]}
    told["TopicPublishTime"] = message.publish_time.ToJsonString()
    message.attributes.update({f"CloudPubSubDeadLetterSource{name}": value for name, value in told.items()})
    return message
