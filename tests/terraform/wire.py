"""The part of Terraform's plug-in protocol, version 5, that planning and applying need: messages by field numbers.

Field numbers and names are from docs/plugin-protocol in github.com/hashicorp/terraform; a map is written as on the
wire, as a list of keys and values.
"""

from collections.abc import Iterator, Mapping

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory  # type: ignore[import-untyped]
from google.protobuf.message import Message  # type: ignore[import-untyped]

PACKAGE = "tfplugin5"
SERVICE = f"{PACKAGE}.Provider"

# Each field is `number type`, with a `*` for a list.
_MESSAGES: Mapping[str, Mapping[str, str]] = {
    "Empty": {},
    "Value": {"msgpack": "1 bytes", "json": "2 bytes"},
    "Diagnostic": {"severity": "1 int64", "summary": "2 string", "detail": "3 string"},
    "Attribute": {
        "name": "1 string",
        "type": "2 bytes",
        "required": "4 bool",
        "optional": "5 bool",
        "computed": "6 bool",
    },
    "Block": {"attributes": "2 *Attribute", "block_types": "3 *NestedBlock"},
    "NestedBlock": {
        "type_name": "1 string",
        "block": "2 Block",
        "nesting": "3 int64",
        "min_items": "4 int64",
        "max_items": "5 int64",
    },
    "Schema": {"version": "1 int64", "block": "2 Block"},
    "NamedSchema": {"key": "1 string", "value": "2 Schema"},
    "Schemas": {"provider": "1 Schema", "resource_schemas": "2 *NamedSchema", "data_source_schemas": "3 *NamedSchema"},
    "Config": {"config": "1 Value"},
    "Prepared": {"prepared_config": "1 Value", "diagnostics": "2 *Diagnostic"},
    "Configure": {"terraform_version": "1 string", "config": "2 Value"},
    "TypedConfig": {"type_name": "1 string", "config": "2 Value"},
    "Diagnostics": {"diagnostics": "1 *Diagnostic"},
    "Step": {"attribute_name": "1 string"},
    "Path": {"steps": "1 *Step"},
    "Proposed": {
        "type_name": "1 string",
        "prior_state": "2 Value",
        "proposed_new_state": "3 Value",
        "config": "4 Value",
    },
    "Planned": {
        "planned_state": "1 Value",
        "requires_replace": "2 *Path",
        "diagnostics": "4 *Diagnostic",
        "legacy_type_system": "5 bool",
    },
    "Apply": {"type_name": "1 string", "prior_state": "2 Value", "planned_state": "3 Value"},
    "Applied": {"new_state": "1 Value", "diagnostics": "3 *Diagnostic", "legacy_type_system": "4 bool"},
    # Of a resource and of a data source alike.
    "Reading": {"type_name": "1 string", "value": "2 Value"},
    "Read": {"state": "1 Value", "diagnostics": "2 *Diagnostic"},
    "RawState": {"json": "1 bytes"},
    "Upgrade": {"type_name": "1 string", "version": "2 int64", "raw_state": "3 RawState"},
    "Import": {"type_name": "1 string", "id": "2 string"},
    "Imported": {"type_name": "1 string", "state": "2 Value"},
    "Imports": {"imported_resources": "1 *Imported", "diagnostics": "2 *Diagnostic"},
}

_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "bytes": _Field.TYPE_BYTES,
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "int64": _Field.TYPE_INT64,
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="tfplugin5.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        file.message_type.add(name=name, field=_fields(fields))
    return file


def _fields(fields: Mapping[str, str]) -> Iterator[descriptor_pb2.FieldDescriptorProto]:
    for name, written in fields.items():
        number, kind = written.split()
        field = _Field(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
        if kind.startswith("*"):
            field.label = _Field.LABEL_REPEATED
        scalar = _SCALARS.get(kind)
        if scalar is None:
            field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind.lstrip('*')}"
        else:
            field.type = scalar
        yield field


def messages() -> Mapping[str, type[Message]]:
    """Return the message classes by name."""
    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }
