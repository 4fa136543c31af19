"""What Pub/Sub accepts, and what it takes for a value that is left out."""

import re

import grpc

from infra.local.pubsub_server.filters import parse_filter
from infra.local.pubsub_server.rpc import Message, Refused, Topic, seconds

_NAME = re.compile(r"projects/[^/]+/(?:topics|subscriptions)/(?!goog)[A-Za-z][\w.~+%-]{2,254}", re.ASCII)
_DAY = 24 * 60 * 60
_NOT_HERE = {"bigquery_config", "cloud_storage_config", "enable_exactly_once_delivery", "message_transforms"}
# A number or a time, and what holds it; its default, and the ends of its range.
_NUMBERS = (
    ("", "message_retention_duration", 7 * _DAY, 600, 31 * _DAY),
    ("", "ack_deadline_seconds", 10, 10, 600),
    ("dead_letter_policy", "max_delivery_attempts", 5, 5, 100),
    ("retry_policy", "minimum_backoff", 10, 0, 600),
    ("retry_policy", "maximum_backoff", 600, 0, 600),
)


def complete(config: Message) -> None:
    """Fill in what is left out; raise Refused for what Pub/Sub would refuse, or what only the real one can do."""
    if not _NAME.fullmatch(config.name):
        raise Refused(f"{config.name!r} is no name of a topic or subscription")
    if isinstance(config, Topic):
        if config.HasField("message_retention_duration"):
            _within("message_retention_duration", seconds(config.message_retention_duration), 600, 31 * _DAY)
        return
    if missing := _NOT_HERE.intersection(field.name for field, _ in config.ListFields()):
        raise Refused(f"not on one machine: {', '.join(missing)}", grpc.StatusCode.UNIMPLEMENTED)
    for policy, name, default, least, most in _NUMBERS:
        if not policy or config.HasField(policy):
            _within(name, _completed(getattr(config, policy) if policy else config, name, default), least, most)
    if not (config.push_config.push_endpoint or "http://").startswith("http://"):
        raise Refused(f"push_endpoint {config.push_config.push_endpoint!r}: here only http:// is pushed to")
    _check_filter(config.filter)


def _check_filter(text: str) -> None:
    _within("the length of filter", len(text.encode()), 0, 256)
    try:
        parse_filter(text)
    except ValueError as error:
        raise Refused(f"filter: {error}") from None


def _completed(config: Message, name: str, default: int) -> float:
    value = getattr(config, name)
    if isinstance(value, int):
        setattr(config, name, value or default)
        return value or default
    value.seconds = value.seconds if config.HasField(name) else default
    return seconds(value)


def check_messages(messages: list[Message]) -> None:
    """Raise Refused for a publish request that is empty, too long, too big, or has an empty message."""
    _within("the number of messages", len(messages), 1, 1000)
    _within("the size of the request", sum(message.ByteSize() for message in messages), 0, 10_000_000)
    if any(not message.data and not message.attributes for message in messages):
        raise Refused("a message needs data or attributes")


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        raise Refused(f"{name} is {value:g}; it must lie between {least} and {most}")
