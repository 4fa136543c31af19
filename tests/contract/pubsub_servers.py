"""The two Pub/Sub servers of a local mesh, with new topics for each test."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage, Subscription

from infra.local import process_specs
from infra.local.process import ProcessSpec
from infra.local.state import StateFolder
from infra.local.tcp_ports import HOST, free_ports
from tests.support.pubsub import clients, pull_now, running
from tests.support.waiting import PATIENCE, wait_until


def embedded(folder: Path, ports: list[int]) -> ProcessSpec:
    """Return the embedded server."""
    state = StateFolder(folder)
    state.pubsub.mkdir(exist_ok=True)
    return process_specs.embedded_pubsub(ports[0], ports[1], state, process_specs.clean_environment(state, os.environ))


@dataclass(frozen=True)
class PubSub:
    """A running server with Google's own clients."""

    publisher: PublisherClient
    subscriber: SubscriberClient
    address: str
    control: str

    def topic(self, **options: object) -> str:
        """Create a topic and return its name."""
        name = f"projects/contract/topics/topic-{uuid4().hex}"
        self.publisher.create_topic(request={"name": name, **options}, timeout=PATIENCE)
        return name

    def subscribe(self, topic: str, **options: object) -> str:
        """Create a subscription and return its name; its leases are longer than any test."""
        name = f"projects/contract/subscriptions/subscription-{uuid4().hex}"
        chosen = Subscription(name=name, topic=topic, **{"ack_deadline_seconds": 600, **options})
        self.subscriber.create_subscription(chosen, timeout=PATIENCE)
        return name

    def publish(self, topic: str, *texts: str, ordering_key: str = "", **attributes: str) -> list[str]:
        """Publish messages in one request and return their ids."""
        messages = [
            PubsubMessage(data=text.encode(), attributes=attributes, ordering_key=ordering_key) for text in texts
        ]
        return list(self.publisher.publish(topic=topic, messages=messages, timeout=PATIENCE).message_ids)

    def pull(self, subscription: str, most: int = 1000) -> list[ReceivedMessage]:
        """Return the messages that are available now."""
        return pull_now(self.subscriber, subscription, most)

    def collect(self, subscription: str, count: int) -> list[str]:
        """Wait for a number of messages and return their bodies in order of arrival."""
        got: list[str] = []

        def enough() -> bool:
            got.extend(self.texts(subscription))
            return len(got) >= count

        wait_until(enough, f"{count} messages")
        return got

    def texts(self, subscription: str) -> list[str]:
        """Return the bodies of the available messages, and acknowledge them."""
        received = self.pull(subscription)
        if received:
            ids = [message.ack_id for message in received]
            self.subscriber.acknowledge(subscription=subscription, ack_ids=ids, timeout=PATIENCE)
        return [message.message.data.decode() for message in received]


@contextmanager
def serving(part: ProcessSpec, folder: Path, ports: list[int]) -> Iterator[PubSub]:
    """Run a server and yield its clients."""
    address = f"{HOST}:{ports[0]}"
    with running(part, folder), clients(address) as (publisher, subscriber):
        yield PubSub(publisher, subscriber, address, f"http://{HOST}:{ports[1]}")


def start(kind: str, folder: Path) -> tuple[ProcessSpec, list[int]]:
    """Return the command for a kind of server, and its ports."""
    ports = free_ports(2)
    if kind == "embedded":
        return embedded(folder, ports), ports
    environment = process_specs.clean_environment(StateFolder(folder), os.environ)
    return process_specs.official_pubsub(ports[0], environment), ports
