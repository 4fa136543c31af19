"""Pub/Sub for tests: a server, a receiver of pushes, and functions to publish and read."""

import json
import subprocess
import warnings
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import PubsubMessage, ReceivedMessage

from infra.endpoints import Endpoints
from infra.local.process import ProcessSpec
from infra.local.web import Answer, Request
from tests.support.http_server import serving
from tests.support.waiting import PATIENCE, wait_until


@contextmanager
def running(part: ProcessSpec, folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a Pub/Sub server until the block ends."""
    with (folder / "pubsub.log").open("ab") as output:
        process = subprocess.Popen(  # noqa: S603
            part.command, env=dict(part.environment), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: part.ready() or process.poll() is not None, "an answer from Pub/Sub")
        assert process.poll() is None, (folder / "pubsub.log").read_text()
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def clients(address: str) -> Iterator[tuple[PublisherClient, SubscriberClient]]:
    """Yield Google's clients of a server on this machine."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield (
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
            SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
        )


def publish(at: Endpoints, topic: str, data: bytes, **attributes: str) -> None:
    """Publish one message."""
    with clients(at.pubsub) as (publisher, _):
        message = PubsubMessage(data=data, attributes=attributes)
        publisher.publish(topic=f"projects/{at.project}/topics/{topic}", messages=[message], timeout=PATIENCE)


def pull_now(subscriber: SubscriberClient, subscription: str, most: int = 100) -> list[ReceivedMessage]:
    """Return the messages available without waiting; they stay leased for the subscription's deadline."""
    request = {"subscription": subscription, "max_messages": most, "return_immediately": True}
    with warnings.catch_warnings():
        # Google discourages the field in production, for which it is slow.
        warnings.simplefilter("ignore", DeprecationWarning)
        return list(subscriber.pull(request=request, timeout=PATIENCE).received_messages)


def retained_messages(at: Endpoints, subscription: str) -> list[PubsubMessage]:
    """Return messages that a subscription holds."""
    with clients(at.pubsub) as (_, subscriber):
        received = pull_now(subscriber, f"projects/{at.project}/subscriptions/{subscription}")
    return [one.message for one in received]


@dataclass
class Receiver:
    """A push endpoint: keeps what it receives."""

    url: str = ""
    got: list[dict[str, Any]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        """Return the bodies of all messages so far."""
        return [text_of(body) for body in self.got]


@contextmanager
def receiver(status: Callable[[str], int] = lambda _: 204) -> Iterator[Receiver]:
    """Run a push endpoint that answers each message with its `status`."""
    found = Receiver()

    def respond(request: Request) -> Answer:
        body = json.loads(request.body)
        found.got.append(body)
        return Answer(status(text_of(body)))

    with serving(respond) as address:
        found.url = f"{address}/"
        yield found


def text_of(push: dict[str, Any]) -> str:
    """Return the body of a pushed message."""
    return b64decode(push["message"].get("data", "")).decode()
