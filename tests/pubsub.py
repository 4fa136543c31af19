"""Publishing to a local mesh by hand, and reading what its subscriptions keep."""

from collections.abc import Iterator
from contextlib import contextmanager

import grpc
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import PubsubMessage

from infra.local.endpoints import Endpoints

_TIMEOUT = 10.0


@contextmanager
def clients(address: str) -> Iterator[tuple[PublisherClient, SubscriberClient]]:
    """Give Google's clients for a server on this machine."""
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield (
            PublisherClient(transport=PublisherGrpcTransport(channel=channel)),
            SubscriberClient(transport=SubscriberGrpcTransport(channel=channel)),
        )


def publish(at: Endpoints, topic: str, data: bytes, **attributes: str) -> None:
    """Publish one message."""
    with clients(at.pubsub) as (publisher, _):
        message = PubsubMessage(data=data, attributes=attributes)
        publisher.publish(topic=f"projects/{at.project}/topics/{topic}", messages=[message], timeout=_TIMEOUT)


def kept(at: Endpoints, subscription: str) -> list[PubsubMessage]:
    """Return up to ten messages that a subscription holds; they stay leased for its deadline."""
    with clients(at.pubsub) as (_, subscriber):
        name = f"projects/{at.project}/subscriptions/{subscription}"
        answer = subscriber.pull(
            request={"subscription": name, "max_messages": 10, "return_immediately": True}, timeout=_TIMEOUT
        )
    return [received.message for received in answer.received_messages]
