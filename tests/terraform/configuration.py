"""The Terraform configuration as written: blocks by type and name, not evaluated by Terraform."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

from tests.support.paths import REPOSITORY

# The module, and the root that calls it.
TERRAFORM = REPOSITORY / "infra" / "terraform"
DEPLOY = TERRAFORM / "deploy"

Body = Mapping[str, Any]


@dataclass(frozen=True)
class Block:
    """One resource or data block."""

    kind: str
    type: str
    name: str
    body: Body
    file: str

    @property
    def address(self) -> str:
        """The block's name in references."""
        return f"{self.type}.{self.name}"


@cache
def parsed(folder: Path = TERRAFORM) -> dict[str, Body]:
    """Return every file of the module (or of the root), parsed, by its name."""
    return {path.name: hcl2.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.tf"))}


def blocks() -> Iterator[Block]:
    """Yield every resource and data block."""
    for file, content in parsed().items():
        for kind in ("resource", "data"):
            for labelled in content.get(kind, ()):
                for block_type, named in unquoted(labelled).items():
                    for name, body in unquoted(named).items():
                        yield Block(kind, block_type, name, unquoted(body), file)


def used_types() -> dict[str, dict[str, str]]:
    """Return the resource and data types that the configuration uses, each with the provider that makes it."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for block in blocks():
        default = block.type.partition("_")[0]
        found[block.kind][block.type] = str(block.body.get("provider", default)).strip("${}")
    return dict(found)


def variables(folder: Path = TERRAFORM) -> dict[str, Body]:
    """Return the variables of the module (or of the root) by name."""
    return {
        name: unquoted(body)
        for content in parsed(folder).values()
        for labelled in content.get("variable", ())
        for name, body in unquoted(labelled).items()
    }


def unquoted(body: Body) -> dict[str, Any]:
    """Return a block's content without the parser's quotes around labels, and without its own marks."""
    return {str(key).strip('"'): value for key, value in body.items() if not str(key).startswith("__")}
