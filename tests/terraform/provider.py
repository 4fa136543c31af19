"""A double of the Google provider: real Terraform validates and plans against Google's schema, and nothing is reached.

It refuses what the schema refuses, and makes up the answers that the cloud would give (addresses, ids, e-mails).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import msgpack
from google.protobuf.message import Message  # type: ignore[import-untyped]

from tests.terraform.schema import Type, types
from tests.terraform.wire import SERVICE, messages

PROJECT_NUMBER = "123456789012"

_LIST = 2
_ANY = messages()


def _block(kind: Type) -> Message:
    attributes = [
        _ANY["Attribute"](
            name=name,
            type=json.dumps(shape).encode(),
            required=mode == "required",
            optional=mode == "optional",
            computed=mode != "required",
        )
        for name, (shape, mode, *_) in kind["attributes"].items()
    ]
    nested = [
        _ANY["NestedBlock"](
            type_name=name,
            block=_block(inner),
            nesting=_LIST,
            min_items=int(inner["mode"] == "required"),
            max_items=int(inner["nesting"] == "single"),
        )
        for name, inner in kind["blocks"].items()
    ]
    return _ANY["Block"](attributes=attributes, block_types=nested)


_PROVIDER: Type = {
    "attributes": {
        "project": ["string", "optional"],
        "region": ["string", "optional"],
        "default_labels": [["map", "string"], "optional"],
    },
    "blocks": {},
}


def _schemas(kind: str) -> list[Message]:
    return [_ANY["NamedSchema"](key=name, value=_ANY["Schema"](block=_block(one))) for name, one in types(kind).items()]


def _answered(kind: str, given: Mapping[str, Any], project: str) -> dict[str, Any]:
    """Return what the cloud would answer for attributes that only it can know."""
    name = given.get("name") or given.get("account_id") or given.get("secret_id") or given.get("role_id")
    home = given.get("project") or project
    match kind:
        case "google_service_account":
            email = f"{name}@{home}.iam.gserviceaccount.com"
            account = f"projects/{home}/serviceAccounts/{email}"
            return {"id": account, "name": account, "email": email, "member": f"serviceAccount:{email}"}
        case "google_cloud_run_v2_service":
            return {"id": f"services/{name}", "uri": f"https://{name}-abc.a.run.app"}
        case "google_project_iam_custom_role":
            return {"id": f"projects/{home}/roles/{name}", "name": f"projects/{home}/roles/{name}"}
        case "google_pubsub_topic":
            return {"id": f"projects/{home}/topics/{name}"}
        case "google_project":
            return {"id": f"projects/{home}", "number": PROJECT_NUMBER}
    return {"id": f"{kind}/{name}"}


class Provider:
    """The calls that Terraform makes to plan."""

    def __init__(self) -> None:
        self._project = ""

    def get_schema(self, _: Message) -> Message:
        """Return Google's schema, of the types that are used."""
        return _ANY["Schemas"](
            provider=_ANY["Schema"](block=_block(_PROVIDER)),
            resource_schemas=_schemas("resource"),
            data_source_schemas=_schemas("data"),
        )

    def prepare(self, request: Any) -> Message:
        """Take the provider's configuration as it is."""
        return _ANY["Prepared"](prepared_config=request.config)

    def configure(self, request: Any) -> Message:
        """Learn the project."""
        self._project = _unpacked(request.config).get("project") or ""
        return _ANY["Diagnostics"]()

    def validate(self, _: Message) -> Message:
        """Find nothing wrong beyond what Terraform finds by the schema."""
        return _ANY["Diagnostics"]()

    def plan(self, request: Any) -> Message:
        """Plan what is proposed, with the cloud's answers filled in."""
        given = _unpacked(request.proposed_new_state)
        planned = None if given is None else self._filled(request.type_name, given)
        return _ANY["Planned"](planned_state=_packed(planned), legacy_type_system=True)

    def read(self, request: Any) -> Message:
        """Return a data source's answer."""
        return _ANY["Read"](state=_packed(self._filled(request.type_name, _unpacked(request.config))))

    def _filled(self, kind: str, given: dict[str, Any]) -> dict[str, Any]:
        answered = _answered(kind, {**given, "project": given.get("project") or given.get("project_id")}, self._project)
        return {**given, **{name: value for name, value in answered.items() if given.get(name) is None}}


def _unpacked(value: Any) -> Any:
    return msgpack.unpackb(value.msgpack, strict_map_key=False)


def _packed(content: Any) -> Message:
    return _ANY["Value"](msgpack=msgpack.packb(content))


def _handlers(provider: Provider) -> grpc.GenericRpcHandler:
    calls: Mapping[str, tuple[str, Callable[[Any], Message]]] = {
        "GetSchema": ("Empty", provider.get_schema),
        "PrepareProviderConfig": ("Config", provider.prepare),
        "Configure": ("Configure", provider.configure),
        "ValidateResourceTypeConfig": ("TypedConfig", provider.validate),
        "ValidateDataSourceConfig": ("TypedConfig", provider.validate),
        "PlanResourceChange": ("Proposed", provider.plan),
        "ReadDataSource": ("TypedConfig", provider.read),
        "Stop": ("Empty", lambda _: _ANY["Empty"]()),
    }
    return grpc.method_handlers_generic_handler(
        SERVICE, {name: _handler(_ANY[taken], answer) for name, (taken, answer) in calls.items()}
    )


def _handler(taken: type[Message], answer: Callable[[Any], Message]) -> "grpc.RpcMethodHandler[Any, Any]":
    return grpc.unary_unary_rpc_method_handler(
        lambda request, _: answer(request),
        request_deserializer=taken.FromString,
        response_serializer=lambda message: message.SerializeToString(),
    )


@contextmanager
def running_provider() -> Iterator[str]:
    """Serve the double on a free port of this machine; yields its address."""
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    server.add_generic_rpc_handlers((_handlers(Provider()),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait(5)
