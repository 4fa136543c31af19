"""gRPC without generated code, with Google's messages as raw protobuf: proto-plus is many times slower."""

from collections.abc import Callable
from typing import Any

import grpc
from google.protobuf import empty_pb2, field_mask_pb2  # type: ignore[import-untyped]
from google.pubsub_v1 import types

from infra.local.pubsub_server.faults import Faults

# Classes made at run time; a type checker does not know their fields.
Message = Any
Context = grpc.ServicerContext
Method = Callable[[Message, Context], Any]

Empty, FieldMask = empty_pb2.Empty, field_mask_pb2.FieldMask
Topic, Subscription, PubsubMessage = types.Topic.pb(), types.Subscription.pb(), types.PubsubMessage.pb()
ReceivedMessage, StreamingPullResponse = types.ReceivedMessage.pb(), types.StreamingPullResponse.pb()


class Refused(Exception):
    """A call fails with a gRPC status; the default is INVALID_ARGUMENT."""

    def __init__(self, text: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(text)
        self.code = code


def service_handler(service: object, faults: Faults) -> grpc.GenericRpcHandler:
    """Return the gRPC service named after an object's class; each public method, such as `create_topic`, is an RPC.

    RPCs without a method are UNIMPLEMENTED.
    """
    methods = {_rpc_name(name): getattr(service, name) for name in vars(type(service)) if not name.startswith("_")}
    handlers = {rpc: _method_handler(rpc, method, faults) for rpc, method in methods.items()}
    return grpc.method_handlers_generic_handler(f"google.pubsub.v1.{type(service).__name__}", handlers)


def _rpc_name(method: str) -> str:
    return "".join(word.capitalize() for word in method.split("_"))


def _method_handler(rpc: str, method: Method, faults: Faults) -> Any:
    # The request of CreateTopic is a Topic, and DeleteTopic has no response type.
    request_type = getattr(types, f"{rpc}Request", None) or getattr(types, rpc.removeprefix("Create"))
    response_type = getattr(types, f"{rpc}Response", None)
    parse, write = request_type.pb().FromString, lambda message: message.SerializeToString()
    if rpc.startswith("Streaming"):
        return grpc.stream_stream_rpc_method_handler(method, parse, write)

    def respond(request: Message, context: Context) -> Message:
        if rule := faults.fires("refuse", rpc):
            context.abort(grpc.StatusCode[rule.code], f"a fault refused {rpc}")
        try:
            answer = method(request, context)
        except Refused as refused:
            context.abort(refused.code, str(refused))
        return response_type.pb()(**(answer or {})) if response_type else answer or Empty()

    return grpc.unary_unary_rpc_method_handler(respond, parse, write)


def seconds(time: Message) -> float:
    """Return a protobuf Duration, or a Timestamp since 1970, in seconds."""
    return float(time.seconds + time.nanos / 1e9)
