"""JSON from and to bytes: fast for nearly everything, exact for all of it."""

import json
import re

import orjson

# orjson makes floats of whole numbers beyond 64 bits; 19 digits may be beyond, fewer cannot.
_MAY_BE_BEYOND_64_BITS = re.compile(rb"(?:^|[\s:,\[])-?\d{19}")


def read_json(data: bytes) -> object:
    """Return the value; raise ValueError when the bytes are no JSON."""
    if _MAY_BE_BEYOND_64_BITS.search(data) is None:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            # Escaped halves of a surrogate pair are JSON too, and strings taken out of malware have them.
            pass
    value: object = json.loads(data)
    return value


def write_json(value: object, *, sort: bool = False) -> bytes:
    """Return compact JSON; equal values make equal bytes when keys are sorted."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS if sort else 0)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=(",", ":"), sort_keys=sort).encode()
