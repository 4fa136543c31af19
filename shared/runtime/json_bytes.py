"""JSON from and to bytes: fast in the common case, exact in every case."""

import json
import re
from collections.abc import Iterable, Iterator

import msgspec
import orjson

# 19 digits may exceed 64 bits, fewer cannot. A regular expression for this would take longer than orjson's parsing.
_LONG = b"0" * 19
_EVERY_DIGIT_ZERO = bytes.maketrans(b"123456789", b"000000000")
_BEFORE_A_NUMBER = b" \t\r\n:,[-"

# A string, or a character that structures JSON.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)

_NAMES = msgspec.json.Decoder(dict[str, msgspec.Raw])
# The same, but with lists cut into elements and everything else parsed, in one pass.
_CUT = msgspec.json.Decoder(dict[str, list[msgspec.Raw] | dict[str, object] | str | int | float | bool | None])


class TooDeepError(ValueError):
    """JSON that is nested deeper than it can be read."""


def not_json(what: str, error: ValueError) -> str:
    """Return the reason for refusing bytes, for people."""
    return f"{what} is not valid JSON: {error}"


def read_json(data: bytes) -> object:
    """Parse a JSON value; raise ValueError if the bytes are not valid JSON.

    msgspec takes half the time of orjson and keeps every digit, but nests only as deep as Python's recursion limit.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return _read_slowly(data)


def read_object(data: bytes) -> dict[str, object]:
    """Parse a JSON object; raise ValueError if the bytes are not valid JSON or another value."""
    value = read_json(data)
    if not isinstance(value, dict):
        raise ValueError("it is not an object")
    return value


def cut_list(data: bytes, name: str) -> tuple[object, tuple[bytes, ...] | None]:
    """Return an object's other fields, and the items of the named list as JSON bytes (None if there is no such list).

    Raises ValueError if the bytes are not valid JSON. Items are validated only when they are parsed.
    """
    try:
        parts = _CUT.decode(data)
        items = parts.pop(name, None)
        if isinstance(items, list):
            return {other: _parsed(part) for other, part in parts.items()}, tuple(map(bytes, items))
    except (msgspec.MsgspecError, RecursionError):
        pass
    return _cut_slowly(data, name)


def _parsed(part: object) -> object:
    return [msgspec.json.decode(element) for element in part] if isinstance(part, list) else part


def cut_member(data: bytes, name: str) -> bytes | None:
    """Return the JSON of an object's member, or None if there is none; raise ValueError if it is not an object."""
    try:
        members: dict[str, msgspec.Raw] | dict[str, bytes] = _NAMES.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        members = dict(map(_member, _elements(data)))
    return bytes(members[name]) if name in members else None


def _cut_slowly(data: bytes, name: str) -> tuple[object, tuple[bytes, ...] | None]:
    try:
        content = read_json(data)
        items = content.get(name) if isinstance(content, dict) else None
        return content, tuple(map(write_json, items)) if isinstance(items, list) else None
    except (TooDeepError, RecursionError):
        return _cut_at_brackets(data, name)


def _cut_at_brackets(data: bytes, name: str) -> tuple[object, tuple[bytes, ...] | None]:
    """Split a list with an item that is nested too deeply to be parsed; that item's bytes are unchanged."""
    parts = dict(map(_member, _elements(data)))
    found = parts.pop(name, b"")
    items = tuple(map(close_up, _elements(found))) if found.startswith(b"[") else None
    return {other: read_json(part) for other, part in parts.items()}, items


def _elements(data: bytes) -> Iterator[bytes]:
    """Yield the elements between the commas of a JSON list or object, at any depth of nesting."""
    depth, begin = 0, 0
    for token in _TOKEN.finditer(data):
        if token[0] in b"[{":
            depth += 1
            begin = token.end() if depth == 1 else begin
        elif token[0] in b"]}":
            depth -= 1
        if depth == 0 or (depth == 1 and token[0] == b","):
            if element := data[begin : token.start()].strip():
                yield element
            begin = token.end()
        if depth == 0:
            return
    raise ValueError("the JSON ends in the middle")


def _member(element: bytes) -> tuple[str, bytes]:
    named = _TOKEN.match(element)
    if named is None or not element[named.end() :].lstrip().startswith(b":"):
        raise ValueError("the JSON has a member without a name")
    return str(read_json(named[0])), element[named.end() :].lstrip()[1:].lstrip()


def _read_slowly(data: bytes) -> object:
    if not _may_hold_long_numbers(data):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            # Escaped lone surrogates are valid JSON, and strings extracted from malware contain them.
            pass
    try:
        value: object = json.loads(data)
    except RecursionError:
        raise TooDeepError("nested too deeply to be read") from None
    return value


def _may_hold_long_numbers(data: bytes) -> bool:
    # orjson turns whole numbers beyond 64 bits into floats.
    digits = data.translate(_EVERY_DIGIT_ZERO)
    at = digits.find(_LONG)
    while at >= 0:
        if at == 0 or data[at - 1] in _BEFORE_A_NUMBER:
            return True
        at = digits.find(_LONG, at + 1)
    return False


def close_up(data: bytes) -> bytes:
    """Return JSON without white space between tokens; bytes that are not valid JSON may be returned unchanged."""
    try:
        return msgspec.json.format(data, indent=-1)
    except (msgspec.MsgspecError, RecursionError):
        return data


def is_text(data: bytes) -> bool:
    """Return whether bytes are UTF-8, as JSON must be; not every parser checks it."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def write_list(begin: bytes, items: Iterable[bytes], end: bytes) -> bytes:
    """Return items, separated by commas, between two parts; the megabytes of the items are copied once."""
    separated = (part for item in items for part in (b",", item))
    next(separated, None)
    return b"".join((begin, *separated, end))


def write_json(value: object, *, sort: bool = False) -> bytes:
    """Return compact JSON; equal values make equal bytes when keys are sorted."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else 0)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":"), sort_keys=sort).encode()
