"""gRPC without generated code, and Google's messages as raw protobuf: proto-plus takes many times as long."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc
from google.protobuf import empty_pb2, field_mask_pb2  # type: ignore[import-untyped]
from google.pubsub_v1 import types

from infra.local.pubsub_server.faults import Faults

# Classes made at run time, of whose fields a type checker knows nothing.
Message = Any
# Its first argument is a request; what it returns is a message, the fields of one, or nothing.
Answer = Callable[[Message, grpc.ServicerContext], Any]

Empty, FieldMask = empty_pb2.Empty, field_mask_pb2.FieldMask
Topic, Subscription, PubsubMessage = types.Topic.pb(), types.Subscription.pb(), types.PubsubMessage.pb()
ReceivedMessage, StreamingPullResponse = types.ReceivedMessage.pb(), types.StreamingPullResponse.pb()


class Refused(Exception):
    """A call that ends with a gRPC status; by default the caller's argument is wrong."""

    def __init__(self, text: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(text)
        self.code = code


def handlers(answers: Mapping[str, Answer], faults: Faults) -> list[grpc.GenericRpcHandler]:
    """Return both of Google's services, which have no method in common; one that is not there is UNIMPLEMENTED."""
    found = {method: _handler(method, answer, faults) for method, answer in answers.items()}
    return [grpc.method_handlers_generic_handler(f"google.pubsub.v1.{it}", found) for it in ("Publisher", "Subscriber")]


def _handler(method: str, answer: Answer, faults: Faults) -> Any:
    # CreateTopic takes a topic itself, and DeleteTopic has no answer of its own.
    asked = getattr(types, f"{method}Request", None) or getattr(types, method.removeprefix("Create"))
    answered = getattr(types, f"{method}Response", None)
    read, written = asked.pb().FromString, lambda message: message.SerializeToString()
    if method.startswith("Streaming"):
        return grpc.stream_stream_rpc_method_handler(answer, read, written)

    def respond(request: Message, context: grpc.ServicerContext) -> Message:
        if rule := faults.fires("refuse", method):
            context.abort(grpc.StatusCode[rule.code], f"the control endpoint asked to refuse {method}")
        try:
            found = answer(request, context)
        except Refused as refused:
            context.abort(refused.code, str(refused))
        return answered.pb()(**(found or {})) if answered else found or Empty()

    return grpc.unary_unary_rpc_method_handler(respond, read, written)


def seconds(time: Message) -> float:
    """Return a protobuf Duration, or a Timestamp since 1970, in seconds."""
    return float(time.seconds + time.nanos / 1e9)
