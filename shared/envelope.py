"""The push envelope: what Pub/Sub posts to an endpoint, read without losing deliveryAttempt or orderingKey.

Shape: `{"message": {"data", "attributes", "messageId", "publishTime", "orderingKey"}, "subscription",
"deliveryAttempt"}` (cloud.google.com/pubsub/docs/push). `data` is missing on messages that have only attributes,
`attributes` when there are none, and `deliveryAttempt` without a dead-letter policy.
"""

import base64
import binascii
from typing import Annotated, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from shared.outcomes import MeshError, Poison
from shared.problems import problems

M = TypeVar("M")


class NotAPush(MeshError):
    """The request body is not what Pub/Sub posts; there is no message to record."""


def _decode(value: object) -> bytes:
    if not isinstance(value, str):
        raise ValueError("data must be a base64 string")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise ValueError(f"data is not base64: {error}") from None


class PushedMessage(BaseModel):
    """A Pub/Sub message as pushed; data is decoded already."""

    model_config = ConfigDict(frozen=True)

    data: Annotated[bytes, BeforeValidator(_decode)] = b""
    attributes: dict[str, str] = {}
    message_id: Annotated[str, Field(validation_alias=AliasChoices("messageId", "message_id"))]
    publish_time: Annotated[str, Field(validation_alias=AliasChoices("publishTime", "publish_time"))] = ""
    ordering_key: Annotated[str, Field(validation_alias=AliasChoices("orderingKey", "ordering_key"))] = ""


class Delivery(BaseModel):
    """One delivery of a message to a push subscription; attempt is 0 where Pub/Sub does not count."""

    model_config = ConfigDict(frozen=True)

    message: PushedMessage
    subscription: str
    attempt: Annotated[int, Field(validation_alias=AliasChoices("deliveryAttempt", "delivery_attempt"))] = 0


def read_delivery(body: bytes) -> Delivery:
    """Read a request body; raise NotAPush with the reason when Pub/Sub cannot have sent it."""
    try:
        return Delivery.model_validate_json(body)
    except ValidationError as error:
        raise NotAPush(f"not a Pub/Sub push: {problems(error)}") from None


def read_message(kind: TypeAdapter[M], delivery: Delivery) -> M:
    """Read the message's JSON body as one of the mesh's messages; raise Poison with the place and the reason."""
    if not delivery.message.data:
        raise Poison("the message has no body; publish JSON, not attributes alone")
    try:
        return kind.validate_json(delivery.message.data)
    except ValidationError as error:
        raise Poison(f"the message cannot be read: {problems(error)}") from None
