"""Leases, backoff, retention and pauses of the embedded Pub/Sub, with a clock controlled by the test."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from google.pubsub_v1.types import PubsubMessage, Subscription, Topic

from infra.local.pubsub_server.catalog import Catalog, Resource
from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.faults import Faults
from infra.local.pubsub_server.leases import Leases
from infra.local.pubsub_server.limits import validate_subscription
from infra.local.pubsub_server.message_store import MessageStore
from infra.local.pubsub_server.push import Push, PushEndpoint

NAME = "projects/p/{}/{}"
MINUTE = 60.0
DAY = 24 * 60 * MINUTE


class Server:
    """The server without its network."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.catalog = Catalog(database := Database(Path(":memory:")))
        self.set_back = 0.0
        self.store = MessageStore(
            database, self.catalog, Faults(), clock=lambda: self.now - self.set_back, timer=lambda: self.now
        )
        self.leases = Leases(self.store)
        self.close = database.close

    def topic(self, name: str, **options: object) -> Resource:
        """Create a topic."""
        return self.catalog.store(Topic.pb(Topic(name=NAME.format("topics", name), **options)))

    def subscribe(self, topic: Resource, **options: object) -> Resource:
        """Create a subscription."""
        name = NAME.format("subscriptions", f"sub-{len(self.catalog.subscriptions())}")
        config = Subscription.pb(Subscription(name=name, topic=topic.name, **options))
        validate_subscription(config)
        return self.catalog.store(config)

    def publish(self, topic: Resource, *texts: str, key: str = "") -> None:
        """Publish messages, one after another."""
        for text in texts:
            self.store.publish(topic, in_order(text, key=key))

    def take(self, one: Resource) -> dict[str, str]:
        """Lease due messages for ten seconds."""
        return {found.message.data.decode(): found.ack_id for found in self.leases.lease(one, 100, 10.0)}

    def waits(self, one: Resource) -> float:
        """Return the number of messages in a subscription."""
        return self.store.backlog()[one.name]["messages"]


def lease(one: Resource, attempt: int) -> str:
    """Return the ack id of the first message."""
    return f"{one.id}-1-{attempt}"


def in_order(*texts: str, key: str = "k") -> list[object]:
    """Return messages with an ordering key."""
    return [PubsubMessage.pb(PubsubMessage(data=text.encode(), ordering_key=key)) for text in texts]


@pytest.fixture
def server() -> Iterator[Server]:
    """A server in memory."""
    found = Server()
    yield found
    found.close()


def test_backoff_doubles_from_the_minimum_to_the_maximum(server: Server) -> None:
    """Each message backs off by its own number of deliveries; an expired lease counts as a nack."""
    topic = server.topic("topic")
    retry = {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 60}}
    one = server.subscribe(topic, retry_policy=retry)
    server.publish(topic, "x")
    for backoff in (10, 20, 40, 60, 60):
        server.leases.modify_deadline(one, server.take(one).values(), 0.0)
        server.now += backoff - 0.1
        assert server.take(one) == {}
        server.now += 0.1
    assert server.take(one)
    server.now += 10.0 + 60.0 - 0.1
    assert server.take(one) == {}
    server.now += 0.1
    assert server.take(one) == {"x": lease(one, 7)}


def test_without_a_retry_policy_a_message_comes_again_at_once(server: Server) -> None:
    """Cloud Pub/Sub also redelivers at once."""
    topic = server.topic("topic")
    one = server.subscribe(topic)
    server.publish(topic, "x")
    server.leases.modify_deadline(one, server.take(one).values(), 0.0)
    assert server.take(one) == {"x": lease(one, 2)}


def test_an_old_lease_cannot_take_a_message_from_its_new_holder(server: Server) -> None:
    """A late nack is ignored, a late acknowledgement counts."""
    topic = server.topic("topic")
    one = server.subscribe(topic)
    server.publish(topic, "x")
    old = server.take(one)["x"]
    server.now += 10.0
    new = server.take(one)["x"]
    server.leases.modify_deadline(one, [old], 0.0)
    assert server.take(one) == {}
    assert server.leases.unexpired(one, [old, new]) == {new}
    server.leases.acknowledge(one, [old])
    assert server.waits(one) == 0


def test_a_deadline_that_passes_spends_an_attempt(server: Server) -> None:
    """After the last attempt the message goes to the dead-letter topic.

    Without that topic it is redelivered for ever.
    """
    topic, dead = server.topic("topic"), server.topic("dead")
    kept = server.subscribe(dead)
    policy = {"dead_letter_topic": dead.name, "max_delivery_attempts": 5}
    one = server.subscribe(topic, dead_letter_policy=policy)
    endless = server.subscribe(topic, dead_letter_policy=policy | {"dead_letter_topic": "projects/p/topics/gone"})
    server.publish(topic, "x")
    for attempt in range(1, 8):
        assert server.take(one) == ({"x": lease(one, attempt)} if attempt <= 5 else {})
        assert server.take(endless) == {"x": lease(endless, attempt)}
        server.now += 10.0
    assert (server.waits(one), list(server.take(kept))) == (0, ["x"])


def test_one_message_of_a_key_is_out_at_a_time(server: Server) -> None:
    """The next message follows the acknowledgement of the one before.

    Other keys and messages without one do not wait.
    """
    topic = server.topic("topic")
    one = server.subscribe(topic, enable_message_ordering=True)
    server.publish(topic, "a1", "a2", key="a")
    server.publish(topic, "b1", key="b")
    server.publish(topic, "plain")
    out = server.take(one)
    assert set(out) == {"a1", "b1", "plain"}
    server.leases.modify_deadline(one, [out["a1"]], 0.0)
    again = server.take(one)
    assert set(again) == {"a1"}
    server.leases.acknowledge(one, again.values())
    assert set(server.take(one)) == {"a2"}


def test_a_message_that_expires_lets_the_next_of_its_key_go(server: Server) -> None:
    """Retention and seek release the next message, as an acknowledgement does."""
    topic = server.topic("topic")
    one = server.subscribe(topic, enable_message_ordering=True, message_retention_duration={"seconds": 600})
    server.publish(topic, "old", key="k")
    server.now += 9 * MINUTE
    server.publish(topic, "new", key="k")
    server.now += 2 * MINUTE
    server.store.delete_expired()
    assert set(server.take(one)) == {"new"}


def test_what_is_past_its_retention_is_forgotten(server: Server) -> None:
    """A subscription's backlog after its own time, a topic's messages after the topic's, unless one still waits."""
    topic = server.topic("topic", message_retention_duration={"seconds": 3600})
    hasty = server.subscribe(topic, message_retention_duration={"seconds": 600})
    patient = server.subscribe(topic)
    server.publish(topic, "x")
    server.now += 11 * MINUTE
    server.store.delete_expired()
    assert (server.waits(hasty), server.waits(patient)) == (0, 1)
    server.now += 2 * DAY
    server.store.delete_expired()
    server.leases.acknowledge(patient, server.take(patient).values())
    server.store.seek(patient, 0.0)
    assert server.waits(patient) == 0


def test_seek_brings_back_what_the_topic_keeps_and_no_more(server: Server) -> None:
    """Without retention of acknowledged messages nothing can be delivered again; waiting messages stay."""
    forgetful, keeping = server.topic("one"), server.topic("two", message_retention_duration={"seconds": 3600})
    for topic, expected in ((forgetful, {"waiting"}), (keeping, {"done", "waiting"})):
        one = server.subscribe(topic)
        server.publish(topic, "done")
        server.leases.acknowledge(one, server.take(one).values())
        server.publish(topic, "waiting")
        server.store.seek(one, server.now - MINUTE)
        assert set(server.take(one)) == expected


def test_a_restarted_server_has_everything_due(tmp_path: Path) -> None:
    """Leases and backoffs end with the process; the order of a key is kept."""
    file, now = tmp_path / "backlog.sqlite", 1_000_000.0
    database = Database(file)
    catalog = Catalog(database)
    store = MessageStore(database, catalog, Faults(), timer=lambda: now)
    topic = catalog.store(Topic.pb(Topic(name=NAME.format("topics", "topic"))))
    config = Subscription(name=NAME.format("subscriptions", "sub"), topic=topic.name, enable_message_ordering=True)
    one = catalog.store(Subscription.pb(config))
    store.publish(topic, in_order("first", "second"))
    Leases(store).lease(one, 100, 600.0)
    database.close()
    database = Database(file)
    store = MessageStore(database, catalog := Catalog(database), Faults(), timer=lambda: now + 1)
    [found] = Leases(store).lease(catalog.find(one.name), 100, 600.0)
    assert (found.message.data, found.ack_id) == (b"first", lease(one, 2))
    database.close()


def test_after_a_reboot_everything_is_due(tmp_path: Path) -> None:
    """The monotonic clock begins at zero again, and no lease of before is waited for."""
    database = Database(tmp_path / "backlog.sqlite")
    store = MessageStore(database, Catalog(database), Faults(), timer=lambda: 9e6)
    topic = store.catalog.store(Topic.pb(Topic(name=NAME.format("topics", "topic"))))
    config = Subscription(name=NAME.format("subscriptions", "sub"), topic=topic.name)
    one = store.catalog.store(Subscription.pb(config))
    store.publish(topic, in_order("x"))
    assert Leases(store).lease(one, 100, 600.0)
    rebooted = Leases(MessageStore(database, store.catalog, Faults(), timer=lambda: 5.0))
    assert [found.message.data for found in rebooted.lease(one, 100, 600.0)] == [b"x"]
    database.close()


def test_a_clock_that_is_set_back_holds_no_delivery_up(server: Server) -> None:
    """New messages, backoffs and pauses take their seconds, whatever the time of day; and none is lost."""
    topic = server.topic("topic")
    retry = {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 10}}
    one = server.subscribe(topic, retry_policy=retry)
    server.publish(topic, "before")
    server.leases.modify_deadline(one, server.take(one).values(), 0.0)
    server.leases.pause(one, 5.0)
    server.set_back = 30 * DAY
    server.publish(topic, "after")
    server.now += 5.1
    assert set(server.take(one)) == {"after"}
    server.set_back = 0.0
    server.store.delete_expired()
    server.now += 5.0
    assert set(server.take(one)) == {"before"}
    assert server.waits(one) == 1


def test_a_subscription_rests_longer_after_each_refusal(server: Server) -> None:
    """The pause starts at 100 ms, doubles with each nack up to the maximum, and halves with each ack."""
    topic = server.topic("topic")
    one = server.subscribe(topic, push_config={"push_endpoint": "http://127.0.0.1:1/"})
    push, endpoint = Push(server.leases, max_pause_seconds=1.0), PushEndpoint(one)
    server.publish(topic, "x", "y")
    pauses = []
    for _ in range(6):
        [delivery] = server.leases.lease(one, 1, 10.0)
        push.settle(endpoint, delivery.ack_id, accepted=False)
        push.settle(endpoint, delivery.ack_id, accepted=False)
        pauses.append(endpoint.pause_seconds)
        server.now += endpoint.pause_seconds - 0.001
        assert server.take(one) == {}
        server.now += 0.002
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    [delivery] = server.leases.lease(one, 1, 10.0)
    push.settle(endpoint, delivery.ack_id, accepted=True)
    assert endpoint.pause_seconds == 0.5


def test_a_file_of_version_0_is_brought_up_to_date(tmp_path: Path) -> None:
    """Due messages stay due, and messages that waited for their ordering key still wait.

    Version 0 stored 1e12 for them.
    """
    file = tmp_path / "backlog.sqlite"
    database = Database(file)
    catalog = Catalog(database)
    store = MessageStore(database, catalog, Faults())
    topic = catalog.store(Topic.pb(Topic(name=NAME.format("topics", "topic"))))
    config = Subscription(name=NAME.format("subscriptions", "sub"), topic=topic.name, enable_message_ordering=True)
    name = catalog.store(Subscription.pb(config)).name
    store.publish(topic, in_order("first", "second"))
    database.close()
    with closing(sqlite3.connect(file)) as old:
        old.executescript("UPDATE deliveries SET available_at = IFNULL(available_at, 1e12); PRAGMA user_version = 0;")
    for text in (b"first", b"second"):
        database = Database(file)
        leases = Leases(MessageStore(database, catalog := Catalog(database), Faults()))
        [found] = leases.lease(catalog.find(name), 100, 600.0)
        assert found.message.data == text
        leases.acknowledge(catalog.find(name), [found.ack_id])
        database.close()
