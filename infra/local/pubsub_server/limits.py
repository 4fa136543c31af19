"""What Pub/Sub accepts, and what it takes for a value that is left out."""

import re

import grpc

from infra.local.pubsub_server.filters import parse_filter
from infra.local.pubsub_server.rpc import Refused
from infra.local.pubsub_server.wire import Message, seconds

_NAME = re.compile(r"projects/[^/]+/(?:topics|subscriptions)/(?!goog)[A-Za-z][\w.~+%-]{2,254}", re.ASCII)
_DAY = 24 * 60 * 60
_NOT_HERE = {"bigquery_config", "cloud_storage_config", "enable_exactly_once_delivery", "message_transforms"}


def check_topic(config: Message) -> None:
    """Raise Refused for a topic that Pub/Sub would not have."""
    if not _NAME.fullmatch(config.name):
        raise Refused(f"{config.name!r} is no name of a topic or subscription")
    if config.HasField("message_retention_duration"):
        _within("message_retention_duration", seconds(config.message_retention_duration), 600, 31 * _DAY)


def complete_subscription(config: Message) -> None:
    """Fill in what is left out; raise Refused for what Pub/Sub would refuse, or what only the real one can do."""
    if missing := _NOT_HERE.intersection(field.name for field, _ in config.ListFields()):
        raise Refused(f"not on one machine: {', '.join(missing)}", grpc.StatusCode.UNIMPLEMENTED)
    if not config.HasField("message_retention_duration"):
        config.message_retention_duration.seconds = 7 * _DAY
    check_topic(config)
    config.ack_deadline_seconds = config.ack_deadline_seconds or 10
    _within("ack_deadline_seconds", config.ack_deadline_seconds, 10, 600)
    _complete_policies(config)
    endpoint = config.push_config.push_endpoint
    if endpoint and not endpoint.startswith("http://"):
        raise Refused(f"push_endpoint {endpoint!r}: here only http:// is pushed to")
    try:
        _within("the length of filter", len(config.filter.encode()), 0, 256)
        parse_filter(config.filter)
    except ValueError as error:
        raise Refused(f"filter: {error}") from None


def _complete_policies(config: Message) -> None:
    if config.HasField("dead_letter_policy"):
        policy = config.dead_letter_policy
        policy.max_delivery_attempts = policy.max_delivery_attempts or 5
        _within("max_delivery_attempts", policy.max_delivery_attempts, 5, 100)
    if config.HasField("retry_policy"):
        for name, default in (("minimum_backoff", 10), ("maximum_backoff", 600)):
            if not config.retry_policy.HasField(name):
                getattr(config.retry_policy, name).seconds = default
            _within(name, seconds(getattr(config.retry_policy, name)), 0, 600)


def check_messages(messages: list[Message]) -> None:
    """Raise Refused for a publish request that is empty, too long, too big, or has an empty message."""
    _within("the number of messages", len(messages), 1, 1000)
    _within("the size of the request", sum(message.ByteSize() for message in messages), 0, 10_000_000)
    if any(not message.data and not message.attributes for message in messages):
        raise Refused("a message needs data or attributes")


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise Refused(f"{name} is {value:g}; it must lie between {least} and {most}")
