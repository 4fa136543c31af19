"""JSON from and to bytes: fast for nearly everything, exact for all of it."""

import json

import msgspec
import orjson

# 19 digits may be beyond 64 bits, fewer cannot. A regular expression takes longer for this than orjson for the rest.
_LONG = b"0" * 19
_EVERY_DIGIT_ZERO = bytes.maketrans(b"123456789", b"000000000")
_BEFORE_A_NUMBER = b" \t\r\n:,[-"


def read_json(data: bytes) -> object:
    """Return the value; raise ValueError when the bytes are no JSON.

    msgspec takes half the time of orjson and keeps every digit, but goes no deeper than Python's own recursion.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return _read_slowly(data)


def read_object(data: bytes) -> dict[str, object]:
    """Return the object; raise ValueError when the bytes are no JSON, or another value."""
    value = read_json(data)
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    return value


def _read_slowly(data: bytes) -> object:
    if not _may_hold_long_numbers(data):
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            # Escaped halves of a surrogate pair are JSON too, and strings taken out of malware have them.
            pass
    try:
        value: object = json.loads(data)
    except RecursionError:
        raise ValueError("nested too deeply to be read") from None
    return value


def _may_hold_long_numbers(data: bytes) -> bool:
    # orjson makes floats of whole numbers beyond 64 bits.
    digits = data.translate(_EVERY_DIGIT_ZERO)
    at = digits.find(_LONG)
    while at >= 0:
        if at == 0 or data[at - 1] in _BEFORE_A_NUMBER:
            return True
        at = digits.find(_LONG, at + 1)
    return False


def write_json(value: object, *, sort: bool = False) -> bytes:
    """Return compact JSON; equal values make equal bytes when keys are sorted."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else 0)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":"), sort_keys=sort).encode()
