"""The push envelope: the JSON that Pub/Sub posts to an endpoint, with deliveryAttempt and orderingKey.

Shape: `{"message": {"data", "attributes", "messageId", "publishTime", "orderingKey"}, "subscription",
"deliveryAttempt"}` (cloud.google.com/pubsub/docs/push). `data` is missing on messages that have only attributes,
`attributes` when there are none, and `deliveryAttempt` without a dead-letter policy.
"""

import base64
import binascii
from typing import Annotated, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.contracts.messages import Topic
from shared.contracts.outcomes import MeshError, Poison
from shared.contracts.validation_errors import describe_errors

M = TypeVar("M")


class NotAPush(MeshError):
    """The request body is not a Pub/Sub push, so there is no message to record."""


def _decode(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("data must be a base64 string")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"data is not base64: {error}") from None


class PushedMessage(BaseModel):
    """A Pub/Sub message as pushed; data is already decoded."""

    model_config = ConfigDict(frozen=True)

    data: Annotated[bytes, BeforeValidator(_decode)] = b""
    attributes: dict[str, str] = {}
    message_id: Annotated[str, Field(validation_alias=AliasChoices("messageId", "message_id"))]
    publish_time: Annotated[str, Field(validation_alias=AliasChoices("publishTime", "publish_time"))] = ""
    ordering_key: Annotated[str, Field(validation_alias=AliasChoices("orderingKey", "ordering_key"))] = ""


class Delivery(BaseModel):
    """One delivery of a message to a push subscription; attempt is 0 if Pub/Sub does not count attempts."""

    model_config = ConfigDict(frozen=True)

    message: PushedMessage
    subscription: str
    attempt: Annotated[int, Field(validation_alias=AliasChoices("deliveryAttempt", "delivery_attempt"))] = 0


def read_delivery(body: bytes) -> Delivery:
    """Parse a request body; raise NotAPush with the reason if it is not a Pub/Sub push."""
    try:
        return Delivery.model_validate_json(body)
    except ValidationError as error:
        raise NotAPush(f"not a Pub/Sub push: {describe_errors(error)}") from None


def read_message(topic: Topic[M], delivery: Delivery) -> M:
    """Parse the message's JSON body; raise Poison with the field and the reason if it is invalid."""
    if not delivery.message.data:
        raise Poison("invalid_message", "the message has no body; publish JSON, not attributes alone")
    try:
        return topic.read(delivery.message.data)
    except ValidationError as error:
        raise Poison("invalid_message", f"the message cannot be read: {describe_errors(error)}") from None
