"""The schemas of the providers' types in use, as tests/terraform/distil.py has written them."""

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA = Path(__file__).with_name("providers.json")

Type = Mapping[str, Any]


@cache
def schema() -> Mapping[str, Any]:
    """Return the whole document."""
    content: Mapping[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return content


def types(kind: str) -> Mapping[str, Type]:
    """Return the known types of one kind, `resource` or `data`, by name."""
    known: Mapping[str, Type] = schema()[kind]
    return known
