"""Google's messages as raw protobuf classes: reading one through proto-plus takes many times as long."""

from typing import Any

from google.protobuf import empty_pb2, field_mask_pb2, json_format  # type: ignore[import-untyped]
from google.pubsub_v1 import types

# Classes made at run time, of whose fields a type checker knows nothing.
Message = Any

Empty = empty_pb2.Empty
FieldMask = field_mask_pb2.FieldMask
Topic = types.Topic.pb()
Subscription = types.Subscription.pb()
PubsubMessage = types.PubsubMessage.pb()
ReceivedMessage = types.ReceivedMessage.pb()
PublishResponse = types.PublishResponse.pb()
PullResponse = types.PullResponse.pb()
StreamingPullResponse = types.StreamingPullResponse.pb()
SeekResponse = types.SeekResponse.pb()
ListTopicsResponse = types.ListTopicsResponse.pb()
ListTopicSubscriptionsResponse = types.ListTopicSubscriptionsResponse.pb()
ListSubscriptionsResponse = types.ListSubscriptionsResponse.pb()


def as_json(message: Message) -> dict[str, Any]:
    """Return a message as JSON names its fields, without those that are not set."""
    return dict(json_format.MessageToDict(message))


def request_of(method: str) -> Message:
    """Return the class of a method's request: CreateTopic and CreateSubscription take the thing itself."""
    return getattr(types, f"{method}Request", None) or getattr(types, method.removeprefix("Create"))


def short(name: str) -> str:
    """Return the last part of a resource's name."""
    return name.rpartition("/")[2]


def seconds(time: Message) -> float:
    """Return a protobuf Duration, or a Timestamp since 1970, in seconds."""
    return float(time.seconds + time.nanos / 1e9)
