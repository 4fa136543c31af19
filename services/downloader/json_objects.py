"""Check that a line is a JSON object that BigQuery can load, and read its id.

Nearly every line is good, so simdjson looks first: it accepts nothing that orjson would not, at a fifth of the cost.
What it does not accept is looked at again, slowly and for a reason: orjson decides what is JSON.
"""

import json
import re
from itertools import accumulate
from typing import cast

import orjson
import simdjson

# A BigQuery STRING has no such limit; an id of this size is no id of any VirusTotal object.
MOST_ID_CHARACTERS = 16_384
# cloud.google.com/bigquery/docs/json-data: "the JSON data type has a nesting limit of 500".
MOST_LEVELS = 500
# simdjson keeps buffers of ten times the largest line that it has seen.
_MOST_QUICK_BYTES = 1024 * 1024
# simdjson goes 1,024 levels deep, or 1,025 when the last is empty. A line that is JSON is tried once more inside arrays
# that leave it no more than MOST_LEVELS: cheaper than counting its brackets.
_OPENED = b"[" * (1024 - MOST_LEVELS)
_CLOSED = b"]" * len(_OPENED)

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))


class BadLineError(ValueError):
    """A line that is not what a feed promises."""


class Checker:
    """Checks lines; used by one thread, because its parser's memory is used again for each."""

    def __init__(self) -> None:
        self._parser = simdjson.Parser()

    def identity(self, data: bytes | memoryview) -> str:
        """Return a good line's id, the first if it has several, as BigQuery's JSON; raise BadLineError otherwise."""
        identity = self._quickly(data)
        if isinstance(identity, str) and 0 < len(identity) <= MOST_ID_CHARACTERS:
            return identity
        return _carefully(bytes(data))

    def _quickly(self, data: bytes | memoryview) -> object:
        # simdjson passes over a byte order mark, which would spoil the row that the line becomes a part of.
        if len(data) > _MOST_QUICK_BYTES or data[:1] != b"{":
            return None
        try:
            # A line that begins so is an object or no JSON.
            identity = cast("simdjson.Object", self._parser.parse(data))["id"]
            self._parser.parse(b"".join((_OPENED, data, _CLOSED)))
        except (ValueError, KeyError, RuntimeError):
            # RuntimeError: an integer of more than 64 bits.
            return None
        return identity if isinstance(identity, str) else None


def _carefully(data: bytes) -> str:
    if not data.strip():
        raise BadLineError("empty line")
    if _levels(data) > MOST_LEVELS:
        raise BadLineError(f"nested deeper than the {MOST_LEVELS} levels of BigQuery's JSON")
    try:
        is_object = isinstance(orjson.loads(data), dict)
    except orjson.JSONDecodeError as error:
        raise BadLineError(f"not JSON: {error}") from None
    if not is_object:
        raise BadLineError("not a JSON object")
    return _checked(_first_id(data))


def _checked(identity: object) -> str:
    if not isinstance(identity, str) or not identity:
        raise BadLineError("no id" if identity in (None, "") else "id is not a string")
    if len(identity) > MOST_ID_CHARACTERS:
        raise BadLineError(f"id is longer than {MOST_ID_CHARACTERS} characters")
    return identity


def _first_id(data: bytes) -> object:
    # Of several orjson would give the last. An integer of 5,000 digits is JSON, and more than int() takes.
    return json.loads(data, object_pairs_hook=lambda pairs: dict(reversed(pairs)), parse_int=float).get("id")


def _levels(data: bytes) -> int:
    brackets = _STRINGS.sub(b"", data).translate(None, _NO_BRACKETS)
    return max(accumulate(1 if bracket in b"{[" else -1 for bracket in brackets), default=0)
