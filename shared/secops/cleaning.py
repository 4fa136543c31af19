"""Write an item without its empty values and with its keys in order, as SecOps gets it."""

from typing import cast

from shared.json_bytes import write_json
from shared.streams import JsonObject

_Container = dict[str, object] | list[object]


def write_cleaned(item: JsonObject) -> bytes:
    """Return the JSON of an item without null, empty texts, empty lists and empty objects, however deep."""
    return write_json(cleaned(item), sort=True)


def cleaned(item: JsonObject) -> JsonObject:
    """Return an item without its empty values, and nothing else changed; zero and false are not empty.

    An item has a thousand values: types are compared and not asked for, and values that hold no others cost no call.
    Going through only those parts whose JSON has something empty in it took longer: most parts have.
    """
    kept: JsonObject = {}
    for name, value in item.items():
        kind = value.__class__
        if kind is dict or kind is list:
            inner = _cleaned(cast("_Container", value))
            if inner:
                kept[name] = inner
        elif value or (value is not None and kind is not str):
            kept[name] = value
    return kept


def _cleaned(value: _Container) -> _Container:
    if isinstance(value, dict):
        return cleaned(value)
    kept: list[object] = []
    for one in value:
        kind = one.__class__
        if kind is dict or kind is list:
            inner = _cleaned(cast("_Container", one))
            if inner:
                kept.append(inner)
        elif one or (one is not None and kind is not str):
            kept.append(one)
    return kept
