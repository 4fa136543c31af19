"""A fake of the providers: real Terraform validates, plans and applies against their schemas, without a network.

It refuses what the schemas and the fake cloud refuse, and makes up the values that only the cloud knows (addresses,
ids, e-mails).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import msgpack
from google.protobuf.message import Message  # type: ignore[import-untyped]

from tests.terraform.answers import UNKNOWN, answered
from tests.terraform.cloud import Cloud, RefusedByGoogleError, Values
from tests.terraform.refusals import check_delete, check_write
from tests.terraform.replaced import FORCE_NEW, KEPT_BLOCKS
from tests.terraform.schema import Type, types
from tests.terraform.wire import SERVICE, messages

_LIST = 2
_ERROR = 1
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
        "billing_project": ["string", "optional"],
        "user_project_override": ["bool", "optional"],
    },
    "blocks": {},
}


def _schemas(kind: str) -> list[Message]:
    return [_ANY["NamedSchema"](key=name, value=_ANY["Schema"](block=_block(one))) for name, one in types(kind).items()]


class Provider:
    """The calls that Terraform makes to plan, apply, refresh and import."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def get_schema(self, _: Message) -> Message:
        """Return the schemas of the types in use."""
        return _ANY["Schemas"](
            provider=_ANY["Schema"](block=_block(_PROVIDER)),
            resource_schemas=_schemas("resource"),
            data_source_schemas=_schemas("data"),
        )

    def prepare(self, request: Any) -> Message:
        """Accept the provider's configuration."""
        return _ANY["Prepared"](prepared_config=request.config)

    def accept(self, _: Message) -> Message:
        """Accept everything that Terraform's own check by the schema accepts."""
        return _ANY["Diagnostics"]()

    def plan(self, request: Any) -> Message:
        """Plan the proposed values, with the cloud's answers filled in."""
        kind, prior, given = request.type_name, _unpacked(request.prior_state), _unpacked(request.proposed_new_state)
        if given is None:
            return _ANY["Planned"](planned_state=_packed(None), legacy_type_system=True)
        if prior is None:
            return _ANY["Planned"](planned_state=_packed(_filled(kind, given)), legacy_type_system=True)
        planned = _kept(kind, prior, given)
        replaced = [name for name in FORCE_NEW.get(kind, ()) if planned.get(name) != prior.get(name)]
        paths = [_ANY["Path"](steps=[_ANY["Step"](attribute_name=name)]) for name in replaced]
        return _ANY["Planned"](planned_state=_packed(planned), requires_replace=paths, legacy_type_system=True)

    def apply(self, request: Any) -> Message:
        """Create, change or delete in the cloud."""
        prior, planned = _unpacked(request.prior_state), _unpacked(request.planned_state)
        try:
            done = self._applied(request.type_name, prior, planned)
        except RefusedByGoogleError as refusal:
            wrong = _ANY["Diagnostic"](severity=_ERROR, summary=str(refusal))
            return _ANY["Applied"](new_state=_packed(prior), diagnostics=[wrong], legacy_type_system=True)
        return _ANY["Applied"](new_state=_packed(done), legacy_type_system=True)

    def _applied(self, kind: str, prior: Values | None, planned: Values | None) -> Values | None:
        if kind == "time_sleep":
            if planned and not prior:
                self._cloud.clock.wait(float(planned["create_duration"].removesuffix("s")))
            return None if planned is None else _filled(kind, planned)
        with self._cloud.clock.working(), self._cloud.lock:
            if planned is None:
                assert prior
                check_delete(prior)
                self._cloud.delete(kind, prior["id"])
                return None
            made = _filled(kind, planned)
            check_write(self._cloud, kind, made)
            change = self._cloud.update if prior else self._cloud.create
            return change(kind, made["id"], made)

    def read(self, request: Any) -> Message:
        """Return a resource's present state."""
        before = _unpacked(request.value)
        if request.type_name == "time_sleep":
            return _ANY["Read"](state=_packed(before))
        with self._cloud.clock.working(), self._cloud.lock:
            return _ANY["Read"](state=_packed(self._cloud.read(request.type_name, before["id"])))

    def read_data(self, request: Any) -> Message:
        """Return a data source's answer."""
        return _ANY["Read"](state=_packed(_filled(request.type_name, _unpacked(request.value))))

    def upgrade(self, request: Any) -> Message:
        """Accept a state as written."""
        return _ANY["Read"](state=_packed(json.loads(request.raw_state.json)))

    def bring_in(self, request: Any) -> Message:
        """Import by id."""
        found = self._cloud.read(request.type_name, request.id)
        if found is None:
            wrong = _ANY["Diagnostic"](
                severity=_ERROR, summary=f"Cannot import non-existent remote object {request.id}"
            )
            return _ANY["Imports"](diagnostics=[wrong])
        return _ANY["Imports"](imported_resources=[_ANY["Imported"](type_name=request.type_name, state=_packed(found))])


def _filled(kind: str, given: Values) -> Values:
    """Return the given values, with the cloud's answers for missing ones."""
    missing = {name: value for name, value in answered(kind, given).items() if given.get(name) in (None, UNKNOWN)}
    return {**given, **missing}


def _kept(kind: str, prior: Values, given: Values) -> Values:
    """Return the planned change, without differences that the provider ignores."""
    planned = dict(given)
    for name in KEPT_BLOCKS.get(kind, ()):
        planned[name] = planned[name] or prior[name]
    if kind == "google_monitoring_dashboard" and given["dashboard_json"] != UNKNOWN:
        same = json.loads(prior["dashboard_json"]) == json.loads(given["dashboard_json"])
        planned["dashboard_json"] = prior["dashboard_json"] if same else given["dashboard_json"]
    return planned


def _unpacked(value: Any) -> Any:
    return msgpack.unpackb(value.msgpack, strict_map_key=False) if value.msgpack else None


def _packed(content: Any) -> Message:
    return _ANY["Value"](msgpack=msgpack.packb(content))


def _handlers(provider: Provider) -> grpc.GenericRpcHandler:
    calls: Mapping[str, tuple[str, Callable[[Any], Message]]] = {
        "GetSchema": ("Empty", provider.get_schema),
        "PrepareProviderConfig": ("Config", provider.prepare),
        "Configure": ("Configure", provider.accept),
        "ValidateResourceTypeConfig": ("TypedConfig", provider.accept),
        "ValidateDataSourceConfig": ("TypedConfig", provider.accept),
        "PlanResourceChange": ("Proposed", provider.plan),
        "ApplyResourceChange": ("Apply", provider.apply),
        "ReadResource": ("Reading", provider.read),
        "ReadDataSource": ("Reading", provider.read_data),
        "UpgradeResourceState": ("Upgrade", provider.upgrade),
        "ImportResourceState": ("Import", provider.bring_in),
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
def running_provider(cloud: Cloud) -> Iterator[str]:
    """Serve the fake of all providers on a free port of this machine; yields its address."""
    # Terraform asks for ten things at once, and those that wait hold a thread.
    server = grpc.server(ThreadPoolExecutor(max_workers=16))
    server.add_generic_rpc_handlers((_handlers(Provider(cloud)),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(grace=None).wait(5)
