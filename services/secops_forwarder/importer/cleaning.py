"""Write an item without empty values and with sorted keys, as it is sent to SecOps."""

from shared.runtime.json_bytes import write_json
from shared.streams.definition import JsonObject

_CONTAINERS = frozenset((dict, list))


def write_cleaned(item: JsonObject) -> bytes:
    """Return the JSON of an item without null, empty strings, lists and objects, at any depth."""
    return write_json(cleaned(item), sort=True)


def cleaned(item: JsonObject) -> JsonObject:
    """Return an item without its empty values and otherwise unchanged; zero and false are not empty.

    An item has hundreds of values, most of them texts: types are compared by identity, the most frequent first. Most
    objects have no empty values, and are not copied.
    """
    kept = item
    for name, value in item.items():
        kind = value.__class__
        inner: object = None
        if kind is str and value:
            continue
        if kind in _CONTAINERS:
            inner = cleaned(value) if kind is dict else _cleaned(value)  # type: ignore[arg-type]
            if inner is value and inner:
                continue
        elif value is not None and kind is not str:
            continue
        if kept is item:
            kept = item.copy()
        if inner:
            kept[name] = inner
        else:
            del kept[name]
    return kept


def _cleaned(values: list[object]) -> list[object]:
    kept: list[object] = []
    for value in values:
        kind = value.__class__
        if kind is str:
            if value:
                kept.append(value)
        elif kind in _CONTAINERS:
            if inner := cleaned(value) if kind is dict else _cleaned(value):  # type: ignore[arg-type]
                kept.append(inner)
        elif value is not None:
            kept.append(value)
    return kept
