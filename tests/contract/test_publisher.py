"""One suite for the publisher and its in-memory fake."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from google.cloud.pubsub_v1.publisher.client import Client as PublisherClient
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from infra.endpoints import Endpoints
from shared.contracts.interfaces import Outgoing, Publisher
from shared.contracts.outcomes import Misconfigured
from shared.gcp.pubsub import PubSubPublisher
from tests.support.memory import MemoryPublisher
from tests.support.waiting import PATIENCE

Read = Callable[[int], list[Outgoing]]


@pytest.fixture
def pubsub(emulators: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Endpoints:
    """Point Google's clients at the emulator."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulators.pubsub)
    return emulators


@pytest.fixture(params=["memory", "emulator"])
def topic(request: pytest.FixtureRequest) -> Iterator[tuple[Publisher, str, Read]]:
    """Return a publisher, a topic, and a function that reads the topic's messages."""
    name, prefix = f"topic-{uuid4().hex}", "eu-"
    if request.param == "memory":
        twin = MemoryPublisher()
        yield twin, name, lambda _: twin.published[name]
        return
    endpoints: Endpoints = request.getfixturevalue("pubsub")
    with SubscriberClient() as subscriber:
        path = subscriber.subscription_path(endpoints.project, name)
        client = PublisherClient()
        # In a project with several meshes, names begin with the mesh's own prefix.
        there = client.topic_path(endpoints.project, f"{prefix}{name}")
        client.create_topic(name=there, timeout=PATIENCE)
        subscriber.create_subscription(name=path, topic=there, timeout=PATIENCE)
        yield PubSubPublisher(endpoints.project, prefix), name, lambda count: _pull(subscriber, path, count, name)
        client.stop()


def _pull(subscriber: SubscriberClient, path: str, count: int, topic: str) -> list[Outgoing]:
    found: dict[str, Outgoing] = {}
    while len(found) < count:
        for received in subscriber.pull(subscription=path, max_messages=1000, timeout=PATIENCE).received_messages:
            message = received.message
            found[message.message_id] = Outgoing(topic, message.data, dict(message.attributes))
    return list(found.values())


def test_every_message_is_there_when_publish_returns(topic: tuple[Publisher, str, Read]) -> None:
    """The returned number equals the number of messages on the topic, over several batches."""
    publisher, name, read = topic
    messages = [Outgoing(name, b"%d" % number, {"number": str(number)}) for number in range(2500)]
    assert publisher.publish(*messages) == 2500
    got = sorted(read(2500), key=lambda message: int(message.body))
    assert got == messages


def test_nothing_to_publish_is_fine(topic: tuple[Publisher, str, Read]) -> None:
    """Publishing an empty iterable succeeds and publishes nothing."""
    publisher, _, _ = topic
    assert publisher.publish() == 0


def test_a_strangers_attribute_is_no_option_of_the_client(pubsub: Endpoints) -> None:
    """An attribute named like a parameter of the client's publish is sent under another name, not as the parameter."""
    name = f"topic-{uuid4().hex}"
    client = PublisherClient()
    client.create_topic(name=client.topic_path(pubsub.project, name), timeout=PATIENCE)
    with SubscriberClient() as subscriber:
        path = subscriber.subscription_path(pubsub.project, name)
        subscriber.create_subscription(name=path, topic=client.topic_path(pubsub.project, name), timeout=PATIENCE)
        PubSubPublisher(pubsub.project).publish(Outgoing(name, b"x", {"timeout": "0", "feed": "domains"}))
        [message] = _pull(subscriber, path, 1, name)
    assert message.attributes == {"_timeout": "0", "feed": "domains"}
    client.stop()


def test_a_missing_topic_is_named(pubsub: Endpoints) -> None:
    """A missing topic is a configuration error and is not retried for minutes."""
    with pytest.raises(Misconfigured, match="topic 'no-such-topic' does not exist"):
        PubSubPublisher(pubsub.project).publish(Outgoing("no-such-topic", b"x"))
