"""Leases, backoff, retention and rests of the embedded Pub/Sub, with a clock that tests set."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.pubsub_v1.types import PubsubMessage, Subscription, Topic

from infra.local.pubsub_server.catalog import Catalog, Resource
from infra.local.pubsub_server.database import Database
from infra.local.pubsub_server.faults import Faults
from infra.local.pubsub_server.leases import Leases
from infra.local.pubsub_server.limits import complete
from infra.local.pubsub_server.log import Log
from infra.local.pubsub_server.push import Line, Push

NAME = "projects/p/{}/{}"
MINUTE = 60.0
DAY = 24 * 60 * MINUTE


class Server:
    """The server without its network."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.catalog = Catalog(database := Database(Path(":memory:")))
        self.log = Log(database, self.catalog, Faults(), clock=lambda: self.now)
        self.leases = Leases(self.log)
        self.close = database.close

    def topic(self, name: str, **options: object) -> Resource:
        """Create a topic."""
        return self.catalog.store(Topic.pb(Topic(name=NAME.format("topics", name), **options)))

    def subscribe(self, topic: Resource, **options: object) -> Resource:
        """Create a subscription."""
        name = NAME.format("subscriptions", f"sub-{len(self.catalog.every('subscriptions'))}")
        config = Subscription.pb(Subscription(name=name, topic=topic.name, **options))
        complete(config)
        return self.catalog.store(config)

    def publish(self, topic: Resource, *texts: str, key: str = "") -> None:
        """Publish messages, one after the other."""
        for text in texts:
            self.log.publish(topic, [PubsubMessage.pb(PubsubMessage(data=text.encode(), ordering_key=key))])

    def take(self, one: Resource) -> dict[str, str]:
        """Lease what is due for ten seconds."""
        return {found.message.data.decode(): found.ack_id for found in self.leases.take(one, 100, 10.0)}

    def waits(self, one: Resource) -> float:
        """Return how many messages a subscription holds."""
        return self.log.waiting()[one.name]["messages"]


def lease(one: Resource, attempt: int) -> str:
    """Return the id under which the first message is acknowledged."""
    return f"{one.id}-1-{attempt}"


@pytest.fixture
def server() -> Iterator[Server]:
    """A server in memory."""
    found = Server()
    yield found
    found.close()


def test_backoff_doubles_from_the_minimum_to_the_maximum(server: Server) -> None:
    """Each message by itself, by the number of its deliveries; a lease that merely ends counts as a nack."""
    topic = server.topic("topic")
    retry = {"minimum_backoff": {"seconds": 10}, "maximum_backoff": {"seconds": 60}}
    one = server.subscribe(topic, retry_policy=retry)
    server.publish(topic, "x")
    for backoff in (10, 20, 40, 60, 60):
        server.leases.postpone(one, server.take(one).values(), 0.0)
        server.now += backoff - 0.1
        assert server.take(one) == {}
        server.now += 0.1
    assert server.take(one)
    server.now += 10.0 + 60.0 - 0.1
    assert server.take(one) == {}
    server.now += 0.1
    assert server.take(one) == {"x": lease(one, 7)}


def test_without_a_retry_policy_a_message_comes_again_at_once(server: Server) -> None:
    """As the real service does it."""
    topic = server.topic("topic")
    one = server.subscribe(topic)
    server.publish(topic, "x")
    server.leases.postpone(one, server.take(one).values(), 0.0)
    assert server.take(one) == {"x": lease(one, 2)}


def test_an_old_lease_cannot_take_a_message_from_its_new_holder(server: Server) -> None:
    """A late nack is ignored, and a late acknowledgement is as good as any."""
    topic = server.topic("topic")
    one = server.subscribe(topic)
    server.publish(topic, "x")
    old = server.take(one)["x"]
    server.now += 10.0
    new = server.take(one)["x"]
    server.leases.postpone(one, [old], 0.0)
    assert server.take(one) == {}
    assert server.leases.held(one, [old, new]) == {new}
    server.leases.acknowledge(one, [old])
    assert server.waits(one) == 0


def test_a_deadline_that_passes_spends_an_attempt(server: Server) -> None:
    """After the last, the message goes to the dead-letter topic; without that topic it is delivered on and on."""
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
    """The next follows the acknowledgement of the one before; other keys and messages without one do not wait."""
    topic = server.topic("topic")
    one = server.subscribe(topic, enable_message_ordering=True)
    server.publish(topic, "a1", "a2", key="a")
    server.publish(topic, "b1", key="b")
    server.publish(topic, "plain")
    out = server.take(one)
    assert set(out) == {"a1", "b1", "plain"}
    server.leases.postpone(one, [out["a1"]], 0.0)
    again = server.take(one)
    assert set(again) == {"a1"}
    server.leases.acknowledge(one, again.values())
    assert set(server.take(one)) == {"a2"}


def test_a_message_that_expires_lets_the_next_of_its_key_go(server: Server) -> None:
    """Retention and seek end the wait as an acknowledgement does."""
    topic = server.topic("topic")
    one = server.subscribe(topic, enable_message_ordering=True, message_retention_duration={"seconds": 600})
    server.publish(topic, "old", key="k")
    server.now += 9 * MINUTE
    server.publish(topic, "new", key="k")
    server.now += 2 * MINUTE
    server.log.tidy()
    assert set(server.take(one)) == {"new"}


def test_what_is_past_its_retention_is_forgotten(server: Server) -> None:
    """A subscription's backlog after its own time, a topic's messages after the topic's, unless one still waits."""
    topic = server.topic("topic", message_retention_duration={"seconds": 3600})
    hasty = server.subscribe(topic, message_retention_duration={"seconds": 600})
    patient = server.subscribe(topic)
    server.publish(topic, "x")
    server.now += 11 * MINUTE
    server.log.tidy()
    assert (server.waits(hasty), server.waits(patient)) == (0, 1)
    server.now += 2 * DAY
    server.log.tidy()
    server.leases.acknowledge(patient, server.take(patient).values())
    server.log.seek(patient, 0.0)
    assert server.waits(patient) == 0


def test_seek_brings_back_what_the_topic_keeps_and_no_more(server: Server) -> None:
    """Without retention of acknowledged messages there is nothing to bring back; what waits still waits."""
    forgetful, keeping = server.topic("one"), server.topic("two", message_retention_duration={"seconds": 3600})
    for topic, expected in ((forgetful, {"waiting"}), (keeping, {"done", "waiting"})):
        one = server.subscribe(topic)
        server.publish(topic, "done")
        server.leases.acknowledge(one, server.take(one).values())
        server.publish(topic, "waiting")
        server.log.seek(one, server.now - MINUTE)
        assert set(server.take(one)) == expected


def test_a_restarted_server_has_everything_due(tmp_path: Path) -> None:
    """Leases and backoffs end with the process, the order of a key does not."""
    file, now = tmp_path / "backlog.sqlite", 1_000_000.0
    database = Database(file)
    catalog = Catalog(database)
    log = Log(database, catalog, Faults(), clock=lambda: now)
    topic = catalog.store(Topic.pb(Topic(name=NAME.format("topics", "topic"))))
    config = Subscription(name=NAME.format("subscriptions", "sub"), topic=topic.name, enable_message_ordering=True)
    one = catalog.store(Subscription.pb(config))
    log.publish(topic, [PubsubMessage.pb(PubsubMessage(data=text, ordering_key="k")) for text in (b"first", b"second")])
    Leases(log).take(one, 100, 600.0)
    database.close()
    database = Database(file)
    log = Log(database, catalog := Catalog(database), Faults(), clock=lambda: now + 1)
    [found] = Leases(log).take(catalog.find(one.name), 100, 600.0)
    assert (found.message.data, found.ack_id) == (b"first", lease(one, 2))
    database.close()


def test_a_subscription_rests_longer_after_each_refusal(server: Server) -> None:
    """From 100 ms, doubled by each nack up to the most, halved by each ack; nothing is delivered meanwhile."""
    topic = server.topic("topic")
    one = server.subscribe(topic, push_config={"push_endpoint": "http://127.0.0.1:1/"})
    push, line = Push(server.leases, most_pause=1.0), Line(one)
    server.publish(topic, "x", "y")
    pauses = []
    for _ in range(6):
        [delivery] = server.leases.take(one, 1, 10.0)
        push.settle(line, delivery.ack_id, accepted=False)
        push.settle(line, delivery.ack_id, accepted=False)
        pauses.append(line.pause)
        server.now += line.pause - 0.001
        assert server.take(one) == {}
        server.now += 0.002
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]
    [delivery] = server.leases.take(one, 1, 10.0)
    push.settle(line, delivery.ack_id, accepted=True)
    assert line.pause == 0.5
