"""Write an item without its empty values and with its keys in order, as SecOps gets it."""

from shared.json_bytes import write_json
from shared.streams import JsonObject

_CAN_BE_EMPTY = frozenset((str, list, dict, type(None)))


def write_cleaned(item: JsonObject) -> bytes:
    """Return the JSON of an item without null, empty texts, empty lists and empty objects, however deep."""
    return write_json(cleaned(item), sort=True)


def cleaned(item: JsonObject) -> JsonObject:
    """Return an item without its empty values, and nothing else changed; zero and false are not empty.

    An item has hundreds of values: types are compared and not asked for, and values that hold no others cost no call.
    Going through only those parts whose JSON has something empty in it took longer: most parts have.
    """
    kept: JsonObject = {}
    for name, value in item.items():
        if value:
            kind = value.__class__
            inner = cleaned(value) if kind is dict else _cleaned(value) if kind is list else value  # type: ignore[arg-type]
            if inner:
                kept[name] = inner
        elif value.__class__ not in _CAN_BE_EMPTY:
            kept[name] = value
    return kept


def _cleaned(values: list[object]) -> list[object]:
    kept: list[object] = []
    for value in values:
        if value:
            kind = value.__class__
            inner = cleaned(value) if kind is dict else _cleaned(value) if kind is list else value  # type: ignore[arg-type]
            if inner:
                kept.append(inner)
        elif value.__class__ not in _CAN_BE_EMPTY:
            kept.append(value)
    return kept
