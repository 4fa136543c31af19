"""The fields of UDM, and whether a record keeps to them.

The requirements are those of docs.cloud.google.com/chronicle/docs/unified-data-model/udm-usage.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources

import yaml

from shared.streams.definition import look_up

Json = dict[str, object]

# The fields that an entity must have, by its type.
_NEEDED = {"DOMAIN_NAME": "hostname", "IP_ADDRESS": "ip", "FILE": "file", "URL": "url"}
# The fields that an event of type SCAN_VULN_HOST must have.
_NEEDED_OF_SCANS = ("observer", "target", "extensions.vulns.vulnerabilities")
# The fields that name a machine; such an event has at least one of them.
_MACHINE = ("target.hostname", "target.ip", "target.mac", "target.asset_id")
_SCALARS: dict[str, type | tuple[type, ...]] = {"string": str, "int": int, "float": float, "Timestamp": datetime}
_ROOTS = {"event": "UDM", "entity": "Entity"}
# RFC 1123: letters, digits and hyphens, in labels.
_HOSTNAME = re.compile(r"(?!-)[a-z0-9-]+(?<!-)(\.(?!-)[a-z0-9-]+(?<!-))*", re.IGNORECASE)


@dataclass(frozen=True)
class Udm:
    """Fields by message, and values by enum; a star at a field's type stands for repeated."""

    messages: dict[str, dict[str, str]]
    enums: dict[str, tuple[str, ...]]

    def field_type(self, root: str, path: str) -> str | None:
        """Return the type of the field at a path below a message, or None if there is none."""
        kind = root
        for name in path.split("."):
            kind = self.messages.get(kind.rstrip("*"), {}).get(name, "")
        return kind or None


@cache
def read_udm() -> Udm:
    """Return the table of facts."""
    text = (resources.files("infra.local.secops.parsing") / "udm.yaml").read_text(encoding="utf-8")
    table = yaml.safe_load(text)
    return Udm(table["messages"], {name: tuple(values) for name, values in table["enums"].items()})


def problems(record: Json) -> Iterator[str]:
    """Yield what is wrong with a record, `{"event": ...}` or `{"entity": ...}`, by its path."""
    for root, content in record.items():
        yield from _message(_ROOTS[root], content, root)
        yield from _missing(root, content)


def _missing(root: str, content: object) -> Iterator[str]:
    kind = look_up(content, f"metadata.{root}_type")
    if not kind:
        yield f"{root}.metadata.{root}_type is not set"
    if kind == "SCAN_VULN_HOST":
        yield from (f"{root}.{path} is not set" for path in _NEEDED_OF_SCANS if not look_up(content, path))
        if not any(look_up(content, path) for path in _MACHINE):
            yield f"{root}.target names no machine"
    needed = _NEEDED.get(str(kind))
    if root == "entity" and needed:
        value = look_up(content, f"entity.{needed}")
        if not value:
            yield f"entity.entity.{needed} is not set"
        elif needed == "hostname" and not _HOSTNAME.fullmatch(str(value)):
            yield f"entity.entity.hostname: {value!r} is no hostname"


def _message(kind: str, value: object, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no {kind}"
        return
    fields = read_udm().messages[kind]
    for name, inner in value.items():
        if name not in fields:
            yield f"{path}.{name}: no such field in {kind}"
        else:
            yield from _field(fields[name], inner, f"{path}.{name}")


def _field(kind: str, value: object, path: str) -> Iterator[str]:
    if kind.endswith("*"):
        if not isinstance(value, list):
            yield f"{path} is repeated, and {value!r} is not a list"
            return
        for number, inner in enumerate(value):
            yield from _field(kind[:-1], inner, f"{path}[{number}]")
    elif kind in read_udm().messages:
        yield from _message(kind, value, path)
    elif kind in read_udm().enums:
        if value not in read_udm().enums[kind]:
            yield f"{path}: {value!r} is no {kind}"
    elif kind in _SCALARS and not _is(value, kind):
        yield f"{path}: {value!r} is no {kind}"


def _is(value: object, kind: str) -> bool:
    return isinstance(value, _SCALARS[kind]) and not isinstance(value, bool)
