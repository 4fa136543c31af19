"""One suite for the publisher and its in-memory twin."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from google.cloud.pubsub_v1.publisher.client import Client as PublisherClient
from google.cloud.pubsub_v1.subscriber.client import Client as SubscriberClient

from infra.local.endpoints import Endpoints
from shared.gcp.pubsub import PubSubPublisher
from shared.memory import MemoryPublisher
from shared.outcomes import Misconfigured
from shared.ports import Outgoing, Publisher

Read = Callable[[int], list[Outgoing]]


@pytest.fixture
def pubsub(emulators: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Endpoints:
    """Point Google's clients at the emulator."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", emulators.pubsub)
    return emulators


@pytest.fixture(params=["memory", "emulator"])
def topic(request: pytest.FixtureRequest) -> Iterator[tuple[Publisher, str, Read]]:
    """Give a publisher, a topic, and a way to read what the topic got."""
    name = f"topic-{uuid4().hex}"
    if request.param == "memory":
        twin = MemoryPublisher()
        yield twin, name, lambda _: twin.published[name]
        return
    endpoints: Endpoints = request.getfixturevalue("pubsub")
    with SubscriberClient() as subscriber:
        path = subscriber.subscription_path(endpoints.project, name)
        client = PublisherClient()
        client.create_topic(name=client.topic_path(endpoints.project, name), timeout=10)
        subscriber.create_subscription(name=path, topic=client.topic_path(endpoints.project, name), timeout=10)
        yield PubSubPublisher(endpoints.project), name, lambda count: _pull(subscriber, path, count)
        client.stop()


def _pull(subscriber: SubscriberClient, path: str, count: int) -> list[Outgoing]:
    found: dict[str, Outgoing] = {}
    while len(found) < count:
        for received in subscriber.pull(subscription=path, max_messages=1000, timeout=20).received_messages:
            message = received.message
            found[message.message_id] = Outgoing(message.data, dict(message.attributes))
    return list(found.values())


def test_every_message_is_there_when_publish_returns(topic: tuple[Publisher, str, Read]) -> None:
    """The number returned is the number held, over several batches."""
    publisher, name, read = topic
    messages = [Outgoing(b"%d" % number, {"number": str(number)}) for number in range(2500)]
    assert publisher.publish(name, iter(messages)) == 2500
    got = sorted(read(2500), key=lambda message: int(message.body))
    assert got == messages


def test_nothing_to_publish_is_fine(topic: tuple[Publisher, str, Read]) -> None:
    """An empty range publishes nothing."""
    publisher, name, _ = topic
    assert publisher.publish(name, []) == 0


def test_a_strangers_attribute_is_no_option_of_the_client(pubsub: Endpoints) -> None:
    """An attribute named like an argument of the client's publish is renamed and carried, not obeyed."""
    name = f"topic-{uuid4().hex}"
    client = PublisherClient()
    client.create_topic(name=client.topic_path(pubsub.project, name), timeout=10)
    with SubscriberClient() as subscriber:
        path = subscriber.subscription_path(pubsub.project, name)
        subscriber.create_subscription(name=path, topic=client.topic_path(pubsub.project, name), timeout=10)
        PubSubPublisher(pubsub.project).publish(name, [Outgoing(b"x", {"timeout": "0", "feed": "domains"})])
        [message] = _pull(subscriber, path, 1)
    assert message.attributes == {"_timeout": "0", "feed": "domains"}
    client.stop()


def test_a_missing_topic_is_named(pubsub: Endpoints) -> None:
    """A topic that does not exist is a configuration error, not something to retry for minutes."""
    with pytest.raises(Misconfigured, match="topic 'no-such-topic' does not exist"):
        PubSubPublisher(pubsub.project).publish("no-such-topic", [Outgoing(b"x")])
