"""Pub/Sub's limits and default values."""

import re
from typing import NamedTuple

import grpc

from infra.local.pubsub_server.filters import parse_filter
from infra.local.pubsub_server.rpc import Message, Refused, seconds

_NAME = re.compile(r"projects/[^/]+/(?:topics|subscriptions)/(?!goog)[A-Za-z][\w.~+%-]{2,254}", re.ASCII)
_DAY = 24 * 60 * 60
_UNIMPLEMENTED = {"bigquery_config", "cloud_storage_config", "enable_exactly_once_delivery", "message_transforms"}


class _Limit(NamedTuple):
    """The default and range of a number or a duration (seconds); a policy's fields count only if there is a policy."""

    policy: str | None
    field: str
    default: int
    minimum: int
    maximum: int


_RETENTION = _Limit(None, "message_retention_duration", default=7 * _DAY, minimum=600, maximum=31 * _DAY)
_SUBSCRIPTION_LIMITS = (
    _RETENTION,
    _Limit(None, "ack_deadline_seconds", default=10, minimum=10, maximum=600),
    _Limit("dead_letter_policy", "max_delivery_attempts", default=5, minimum=5, maximum=100),
    _Limit("retry_policy", "minimum_backoff", default=10, minimum=0, maximum=600),
    _Limit("retry_policy", "maximum_backoff", default=600, minimum=0, maximum=600),
)


def validate_topic(topic: Message) -> None:
    """Raise Refused if Pub/Sub would refuse the topic."""
    _check_name(topic)
    # A topic without it keeps no acknowledged messages.
    if topic.HasField(_RETENTION.field):
        _check_range(
            _RETENTION.field, seconds(topic.message_retention_duration), _RETENTION.minimum, _RETENTION.maximum
        )


def validate_subscription(subscription: Message) -> None:
    """Fill in defaults; raise Refused if Pub/Sub would refuse the subscription, or this server cannot serve it."""
    _check_name(subscription)
    if missing := _UNIMPLEMENTED.intersection(field.name for field, _ in subscription.ListFields()):
        raise Refused(f"not supported by the local server: {', '.join(missing)}", grpc.StatusCode.UNIMPLEMENTED)
    for limit in _SUBSCRIPTION_LIMITS:
        if limit.policy is None or subscription.HasField(limit.policy):
            holder = getattr(subscription, limit.policy) if limit.policy else subscription
            _check_range(limit.field, _completed(holder, limit), limit.minimum, limit.maximum)
    endpoint = subscription.push_config.push_endpoint
    if endpoint and not endpoint.startswith("http://"):
        raise Refused(f"push_endpoint {endpoint!r}: only http:// endpoints are supported here")
    _check_filter(subscription.filter)


def _check_name(config: Message) -> None:
    if not _NAME.fullmatch(config.name):
        raise Refused(f"{config.name!r} is not a name of a topic or subscription")


def _check_filter(text: str) -> None:
    _check_range("the length of filter", len(text.encode()), 0, 256)
    try:
        parse_filter(text)
    except ValueError as error:
        raise Refused(f"filter: {error}") from None


def _completed(holder: Message, limit: _Limit) -> float:
    """Return a field's value; set it to its default first if it is missing."""
    value = getattr(holder, limit.field)
    if isinstance(value, int):
        setattr(holder, limit.field, value or limit.default)
        return float(value or limit.default)
    if not holder.HasField(limit.field):
        value.seconds = limit.default
    return seconds(value)


def validate_messages(messages: list[Message]) -> None:
    """Raise Refused for a publish request without messages, with too many, too large, or with an empty message."""
    _check_range("the number of messages", len(messages), 1, 1000)
    _check_range("the size of the request", sum(message.ByteSize() for message in messages), 0, 10_000_000)
    if any(not message.data and not message.attributes for message in messages):
        raise Refused("a message needs data or attributes")


def _check_range(name: str, value: float, minimum: float, maximum: float) -> None:
    if not minimum <= value <= maximum:
        raise Refused(f"{name} is {value:g}; it must be between {minimum} and {maximum}")
