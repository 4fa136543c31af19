"""Compare the records of a tenant's parser run with the expected ones.

The API writes names in camel case, integers as strings, and leaves zeros out.
"""

from collections.abc import Iterator

from shared.streams.definition import JsonObject, look_up

RECORDS = {"event": "metadata.eventType", "entity": "metadata.entityType"}


def summary(events: list[object]) -> str:
    """Return the records of a log in words, such as `event GENERIC_EVENT, entity FILE`."""
    kinds = [
        f"{kind} {look_up(event, f'{kind}.{path}')}"
        for event in events
        for kind, path in RECORDS.items()
        if look_up(event, kind)
    ]
    return ", ".join(kinds)


def differences(expected: list[JsonObject], events: list[object]) -> Iterator[str]:
    """Yield each expected field that the records lack or have with another value; additional fields are ignored."""
    if len(events) != len(expected):
        yield f"{len(events)} records, not {len(expected)}"
        return
    values = {_plain(path): value for path, value in _leaves(events)}
    for path, value in _leaves(expected):
        actual = values.get(_plain(path), "")
        if not _same(value, actual):
            yield f"{path} is {actual!r}, not {value!r}"


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict | list):
        yield path, value
        return
    for name, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from _leaves(item, f"{path}.{name}" if path else str(name))


def _plain(path: str) -> str:
    return path.replace("_", "").lower()


def _same(wanted: object, actual: object) -> bool:
    if isinstance(wanted, int | float):
        return actual == wanted or actual == str(wanted) or (not wanted and not actual)
    return actual == wanted
