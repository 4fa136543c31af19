"""gRPC without generated code: a method named CreateTopic is answered by a function named create_topic."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import grpc

from infra.local.pubsub_server.faults import Faults
from infra.local.pubsub_server.wire import Message, request_of

Answer = Callable[[Message, grpc.ServicerContext], Any]


class Refused(Exception):
    """A call that ends with a gRPC status; by default the caller's argument is wrong."""

    def __init__(self, text: str, code: grpc.StatusCode = grpc.StatusCode.INVALID_ARGUMENT) -> None:
        super().__init__(text)
        self.code = code


def handler(service: str, methods: Iterable[str], answers: object, faults: Faults) -> grpc.GenericRpcHandler:
    """Return a gRPC service of google.pubsub.v1; a method that is not named is UNIMPLEMENTED."""
    handlers = {}
    for method in methods:
        answer = getattr(answers, re.sub(r"(?<!^)(?=[A-Z])", "_", method).lower())
        read, written = request_of(method).pb().FromString, lambda message: message.SerializeToString()
        if method.startswith("Streaming"):
            handlers[method] = grpc.stream_stream_rpc_method_handler(answer, read, written)
        else:
            handlers[method] = grpc.unary_unary_rpc_method_handler(_guarded(method, answer, faults), read, written)
    return grpc.method_handlers_generic_handler(f"google.pubsub.v1.{service}", handlers)


def _guarded(method: str, answer: Answer, faults: Faults) -> Answer:
    def respond(request: Message, context: grpc.ServicerContext) -> Message:
        if rule := faults.fires("refuse", method):
            context.abort(rule.status, f"the control endpoint asked to refuse {method}")
        try:
            return answer(request, context)
        except Refused as refused:
            context.abort(refused.code, str(refused))

    return respond
