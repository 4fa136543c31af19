"""The Terraform configuration as it is written: blocks by type and name, without what Terraform would make of them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

TERRAFORM = Path(__file__).parents[2] / "infra" / "terraform"

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
        """The block as other blocks name it."""
        return f"{self.type}.{self.name}"


@cache
def parsed() -> dict[str, Body]:
    """Return every file of the configuration, parsed, by its name."""
    return {path.name: hcl2.loads(path.read_text(encoding="utf-8")) for path in sorted(TERRAFORM.glob("*.tf"))}


def blocks() -> Iterator[Block]:
    """Yield every resource and data block."""
    for file, content in parsed().items():
        for kind in ("resource", "data"):
            for labelled in content.get(kind, ()):
                for block_type, named in unquoted(labelled).items():
                    for name, body in unquoted(named).items():
                        yield Block(kind, block_type, name, unquoted(body), file)


def used_types() -> dict[str, set[str]]:
    """Return the resource and data types that the configuration uses."""
    found: dict[str, set[str]] = defaultdict(set)
    for block in blocks():
        found[block.kind].add(block.type)
    return dict(found)


def variables() -> dict[str, Body]:
    """Return the variables by name."""
    return {
        name: unquoted(body)
        for content in parsed().values()
        for labelled in content.get("variable", ())
        for name, body in unquoted(labelled).items()
    }


def unquoted(body: Body) -> dict[str, Any]:
    """Return a block's content without the quotes that the parser leaves around labels, and without its own marks."""
    return {str(key).strip('"'): value for key, value in body.items() if not str(key).startswith("__")}
