"""Inputs that are nearly valid: a valid value with a few changed places or bytes."""

import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

Json = Any
Place = tuple[str | int, ...]

# What programs stumble over: nothing, too much, the wrong kind, and what leads elsewhere.
ODD: tuple[Json, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        0.5,
        1e308,
        2**31,
        2**53 + 1,
        2**63,
        -(2**63) - 1,
        10**40,
        float("nan"),
        float("inf"),
    ),
    *("", " ", "0", "²", "\x00", "\n", "é", "\ud800", "*", "..", "../../x", "/etc/passwd", "a" * 5000, "%2e%2e%2f"),
    *("gs://other/x", "gs://landing/../x", "file:///etc/passwd", "http://[::1", "//x", "javascript:0"),
    *("2026-11-21T14:10:00Z", "2026-11-21T14:10:30Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:00Z", "nonsense"),
    *([], {}, [[]], [None], {"": None}, {"a": {"b": {"c": []}}}, [[[[[[[[]]]]]]]], ["a", "a"]),
)
_GONE = object()


def places(value: Json, here: Place = ()) -> Iterator[Place]:
    """Yield the path of a value and of everything in it."""
    yield here
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*here, key))


def malformed_values(value: Json, most: int = 3) -> SearchStrategy[Json]:
    """Return a value with up to a number of its places replaced or removed, and sometimes with an addition."""
    anything = st.one_of(
        st.sampled_from(ODD), st.sampled_from(ODD), st.just(_GONE), st.text(max_size=12), st.integers()
    )
    change = st.tuples(st.sampled_from(list(places(value))), anything, st.booleans())
    return st.lists(change, max_size=most).map(lambda changes: _changed(value, changes))


def malformed_json(value: Json) -> SearchStrategy[bytes]:
    """Return the JSON of a changed value, its changed bytes, or any bytes."""
    text = written(value)
    return st.one_of(malformed_values(value).map(written), malformed_bytes(text), st.binary(max_size=100))


def malformed_bytes(data: bytes, most: int = 4) -> SearchStrategy[bytes]:
    """Return bytes with up to a number of deletions, insertions and replacements."""
    edit = st.tuples(st.integers(0, len(data)), st.integers(0, 8), st.binary(max_size=8))
    return st.lists(edit, max_size=most).map(lambda edits: _edited(data, edits))


def written(value: Json) -> bytes:
    """Return a value as JSON, including what is not valid JSON or Unicode."""
    return json.dumps(value).encode(errors="surrogatepass")


def _changed(value: Json, changes: Sequence[tuple[Place, Json, bool]]) -> Json:
    value = copy.deepcopy(value)
    for place, taken, added in changes:
        new = taken if taken is _GONE else copy.deepcopy(taken)
        if not place:
            value = value if new is _GONE or len(changes) > 1 else new
            continue
        holder = _find(value, place[:-1])
        if isinstance(holder, dict):
            _put(holder, f"{place[-1]}{'x' if added else ''}", new)
        elif isinstance(holder, list) and isinstance(place[-1], int) and new is not _GONE:
            holder[place[-1] : place[-1] + (not added)] = [new]
    return value


def _put(holder: dict[str, Json], key: str, new: Json) -> None:
    if new is _GONE:
        holder.pop(key, None)
    else:
        holder[key] = new


def _find(value: Json, place: Place) -> Json:
    for key in place:
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return value


def _edited(data: bytes, edits: Sequence[tuple[int, int, bytes]]) -> bytes:
    for at, removed, inserted in edits:
        data = data[:at] + inserted + data[at + removed :]
    return data
