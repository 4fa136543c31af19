"""The topology's topics and subscriptions, declared in the local Pub/Sub."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import grpc
from google.api_core import retry as retries
from google.api_core.exceptions import AlreadyExists
from google.protobuf.field_mask_pb2 import FieldMask  # type: ignore[import-untyped]
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import DeadLetterPolicy, ExpirationPolicy, PushConfig, RetryPolicy
from google.pubsub_v1.types import Subscription as SubscriptionMessage
from google.pubsub_v1.types import Topic as TopicMessage

from infra.endpoints import Endpoints
from infra.topology import Subscription, Topology

# The official emulator still refuses more than seven days; Pub/Sub itself no longer does.
_EMULATOR_RETENTION_SECONDS = 7 * 24 * 60 * 60
# Settings that may differ after a restart: the services' ports, and the topology.
_DECLARED = (
    *("push_config", "ack_deadline_seconds", "message_retention_duration"),
    *("retry_policy", "dead_letter_policy"),
)
_TIMEOUT_SECONDS = 30.0
_RETRY = retries.Retry(predicate=retries.if_transient_error, initial=0.1, maximum=1.0, timeout=60.0)


def create_topics(topology: Topology, endpoints: Endpoints) -> None:
    """Create or update every topic: the official emulator loses topics, the embedded server keeps them."""
    with _channel(endpoints) as channel:
        publisher = PublisherClient(transport=PublisherGrpcTransport(channel=channel))
        for name, topic in topology.topics.items():
            wanted = TopicMessage(
                name=_topic_path(endpoints, name),
                message_retention_duration=timedelta(seconds=topic.retention_seconds),
            )
            try:
                publisher.create_topic(wanted, timeout=_TIMEOUT_SECONDS, retry=_RETRY)
            except AlreadyExists:
                mask = FieldMask(paths=["message_retention_duration"])
                publisher.update_topic(topic=wanted, update_mask=mask, timeout=_TIMEOUT_SECONDS, retry=_RETRY)


def create_subscriptions(topology: Topology, endpoints: Endpoints) -> None:
    """Create or update every subscription, pushing to the services of this mesh."""
    with _channel(endpoints) as channel:
        subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        for name, subscription in topology.subscriptions.items():
            wanted = subscription_message(name, subscription, endpoints)
            try:
                subscriber.create_subscription(wanted, timeout=_TIMEOUT_SECONDS, retry=_RETRY)
            except AlreadyExists:
                mask = FieldMask(paths=_DECLARED)
                subscriber.update_subscription(
                    subscription=wanted, update_mask=mask, timeout=_TIMEOUT_SECONDS, retry=_RETRY
                )


def subscription_message(name: str, one: Subscription, endpoints: Endpoints) -> SubscriptionMessage:
    """Return a declared subscription, for the official emulator without the settings that it handles wrongly.

    With a retry policy of 1 to 10 s the emulator (0.8.20) loses some messages that were nacked twice (up to 12 of 16).
    Without one it redelivers after a second and keeps every message.
    """
    embedded = endpoints.pubsub_control is not None
    retention = one.retention_seconds if embedded else min(one.retention_seconds, _EMULATOR_RETENTION_SECONDS)
    message = SubscriptionMessage(
        name=f"projects/{endpoints.project}/subscriptions/{name}",
        topic=_topic_path(endpoints, one.topic),
        ack_deadline_seconds=one.ack_deadline_seconds,
        message_retention_duration=timedelta(seconds=retention),
        filter=one.filter or "",
        # A policy without a ttl: it never expires.
        expiration_policy=ExpirationPolicy(),
    )
    if one.push:
        message.push_config = PushConfig(push_endpoint=endpoints.services[one.push.service] + one.push.path)
    if one.backoff and embedded:
        message.retry_policy = RetryPolicy(
            minimum_backoff=timedelta(seconds=one.backoff.minimum_seconds),
            maximum_backoff=timedelta(seconds=one.backoff.maximum_seconds),
        )
    if one.dead_letter:
        message.dead_letter_policy = DeadLetterPolicy(
            dead_letter_topic=_topic_path(endpoints, one.dead_letter.topic),
            max_delivery_attempts=one.dead_letter.max_attempts,
        )
    return message


def _topic_path(endpoints: Endpoints, name: str) -> str:
    return f"projects/{endpoints.project}/topics/{name}"


@contextmanager
def _channel(endpoints: Endpoints) -> Iterator[grpc.Channel]:
    # gRPC would use the proxy of the caller's environment even for connections to this machine.
    with grpc.insecure_channel(endpoints.pubsub, options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield channel
