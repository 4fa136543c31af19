"""Distil what the providers know of the resource types used here: run when a new type or provider is needed.

    pip download --no-deps cdktf-cdktf-provider-google==16.12.1 cdktf-cdktf-provider-google-beta==16.12.1 \\
        cdktf-cdktf-provider-time==11.0.1
    .venv/bin/python -m tests.terraform.distil *.whl

The packages are too large for every test run (200 MB of JSON), so what is kept is names, types and what is required.
Their type definitions are made by machine from the providers' own schemas, whose versions they name.
"""

import io
import json
import re
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.terraform.configuration import used_types
from tests.terraform.schema import SCHEMA

Assembly = Mapping[str, Any]

_DOCUMENTED = re.compile(r"docs/(?:resources|data-sources)/\w+#(\w+) ")
_VERSION = re.compile(r"providers/hashicorp/([\w-]+)/([\d.]+)/docs/")
_CHOICES = re.compile(r"(?:Possible|possible) values(?: are)?: \[([^\]]+)\]")
_PRIMITIVES = {"string": "string", "number": "number", "boolean": "bool"}
# What every generated class has in addition to the provider's attributes.
_OWN = {"tfResourceType", "importFrom", "generateConfigForImport"}


def read_assembly(wheel: Path) -> Assembly:
    """Return the type definitions in the wheel, by full name."""
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner))) as package:
            assembly = package.extractfile("package/.jsii")
            assert assembly
            types: Assembly = json.load(assembly)["types"]
            return types


def class_name(terraform_type: str, kind: str, provider: str = "google") -> str:
    """Return the full name of the generated class of a resource or data type."""
    words = terraform_type.split("_")
    # Only the classes of google itself leave its name out; those of google-beta have it.
    words = words if provider == "google-beta" else words[1:]
    words = [*(("data", "google") if kind == "data" else ()), *words]
    camel = "".join(word.capitalize() for word in words)
    return f"@cdktf/provider-{provider}.{camel[0].lower()}{camel[1:]}.{camel}"


def distil(types: Assembly, name: str) -> dict[str, Any]:
    """Return attributes and blocks of one resource type."""
    config = types[f"{name}Config"]["properties"]
    body = _body(types, [one for one in config if _documented(one)])
    given = {one["name"] for one in config}
    for one in types[name]["properties"]:
        if one["name"] in given | _OWN or one["name"].endswith("Input") or one.get("static"):
            continue
        body["attributes"].setdefault(_snake(one["name"]), [_computed(one["type"]), "computed"])
    return body


def _body(types: Assembly, properties: list[Mapping[str, Any]]) -> dict[str, Any]:
    attributes: dict[str, Any] = {}
    blocks: dict[str, Any] = {}
    for one in properties:
        name = _documented(one)
        required = "optional" if one.get("optional") else "required"
        struct, single = _struct(types, one["type"])
        if struct is None:
            attributes[name] = [_type(one["type"]), required, *_choices(one)]
        else:
            inner = _body(types, types[struct].get("properties", []))
            blocks[name] = {"nesting": "single" if single else "list", "mode": required, **inner}
    return {"attributes": dict(sorted(attributes.items())), "blocks": dict(sorted(blocks.items()))}


def _documented(one: Mapping[str, Any]) -> str:
    docs = one.get("docs", {})
    found = _DOCUMENTED.search(f"{docs.get('summary', '')} {docs.get('remarks', '')} ")
    return found.group(1) if found else ""


def _choices(one: Mapping[str, Any]) -> list[list[str]]:
    """Return the values that the documentation allows, or nothing where it allows any."""
    docs = one.get("docs", {})
    found = _CHOICES.search(f"{docs.get('summary', '')} {docs.get('remarks', '')}")
    return [sorted(re.findall(r'"([^"]*)"', found.group(1)))] if found else []


def _struct(types: Assembly, kind: Mapping[str, Any]) -> tuple[str | None, bool]:
    for one in _alternatives(kind):
        if "collection" in one:
            inner, _ = _struct(types, one["collection"]["elementtype"])
            if inner:
                return inner, False
        elif one.get("fqn") in types:
            return one["fqn"], True
    return None, False


def _alternatives(kind: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from kind["union"]["types"] if "union" in kind else (kind,)


def _type(kind: Mapping[str, Any]) -> str | list[str]:
    for one in _alternatives(kind):
        if "primitive" in one:
            return _PRIMITIVES[one["primitive"]]
        if "collection" in one:
            element = _type(one["collection"]["elementtype"])
            assert isinstance(element, str)
            return ["map" if one["collection"]["kind"] == "map" else "list", element]
    # A map of booleans is written as one of things to be resolved later.
    return "bool"


def _computed(kind: Mapping[str, Any]) -> str | list[str]:
    name = kind.get("fqn", "").rpartition(".")[2]
    if name == "StringMap":
        return ["map", "string"]
    return "dynamic" if name and name != "IResolvable" else _type(kind)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def main(wheels: Sequence[Path]) -> None:
    """Write the schema of every type that the configuration uses, from the provider that makes it."""
    assemblies = {wheel: read_assembly(wheel) for wheel in wheels}
    versions = {
        provider: version
        for types in assemblies.values()
        for provider, version in _VERSION.findall(json.dumps(next(iter(types.values()))))
    }
    kinds: dict[str, dict[str, Any]] = {"resource": {}, "data": {}}
    for kind, used in used_types().items():
        for name, provider in sorted(used.items()):
            full = class_name(name, kind, provider)
            types = next(one for one in assemblies.values() if full in one)
            kinds[kind][name] = distil(types, full)
    schema = {"versions": versions, "from": [wheel.name for wheel in wheels], **kinds}
    SCHEMA.write_text(json.dumps(schema, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
