"""Check that a line is a JSON object that BigQuery can load, and read its id.

Nearly every line is good, so simdjson checks first: it accepts nothing that orjson refuses, at a fifth of the cost.
Lines that it refuses are checked again slowly, for the reason: orjson decides what is JSON. A large line is never
converted to values, which take up to twenty times its size: msgspec validates it without keeping anything, and what
msgspec accepts but orjson refuses (invalid UTF-8, numbers beyond FLOAT64) is checked here.
"""

import re
from codecs import utf_8_decode
from collections.abc import Iterator, Sequence
from math import isinf
from typing import cast

import msgspec
import orjson

try:
    import simdjson
except ModuleNotFoundError:
    # It has no wheels for Python 3.14 yet; there every line takes the slow check.
    simdjson = None  # type: ignore[assignment]

# A BigQuery STRING has no such limit; but no id of a VirusTotal object is this long.
MAX_ID_CHARACTERS = 16_384
# cloud.google.com/bigquery/docs/json-data: "the JSON data type has a nesting limit of 500".
MAX_LEVELS = 500
# simdjson keeps buffers ten times the largest line seen, and orjson converts a line to values.
LARGE_BYTES = 1024 * 1024
# simdjson goes 1,024 levels deep, or 1,025 when the last is empty. A line that is JSON is tried once more inside arrays
# that leave it no more than MAX_LEVELS: this is cheaper than counting brackets.
_OPENED = b"[" * (1024 - MAX_LEVELS)
_CLOSED = b"]" * len(_OPENED)

# Repeats are possessive (*+): others would keep a backtracking frame of a hundred bytes per character. Where its last
# try fails midway, Python before 3.11.5 goes on from there (github.com/python/cpython/issues/100061) unless one more
# alternative fails at once: (?!).
_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_ID_KEY = rb'"(?:i|\\u0069)(?:d|\\u0064)"[ \t\r\n]*+:[ \t\r\n]*+'
_BLANK = re.compile(rb"\s*+")
_ID = re.compile(_STRING, re.DOTALL)
# An array or object with none inside.
_LEAF = rb'[{\[](?:[^"{}\[\]]++|%b|(?!))*+[}\]]' % _STRING
# Skips leaves (group 1 has one); ends at an opening (2) or closing bracket (3), or at a key `id`.
_STEP = re.compile(
    rb'(?:[^"{}\[\]]++|(?!%b)%b|(%b)|(?!))*+(?:([{\[]++)|([}\]]++)|%b)' % (_ID_KEY, _STRING, _LEAF, _ID_KEY), re.DOTALL
)
_NUMBER = re.compile(rb"\d++(?:\.\d++|(?!))?+(?:[eE][+-]?\d++|(?!))?+")
# All but numbers of 200 digits before the point or an exponent above 99: whatever else is below FLOAT64's 1e308.
_ORDINARY = re.compile(
    rb'(?:[^"\d]++|%b|\d{1,200}+(?!\d)(?:\.\d++|(?!))?+(?:[eE](?:-\d++|\+?\d{1,2}+(?!\d))|(?!))?+(?![eE])|(?!))*+'
    % _STRING,
    re.DOTALL,
)
_TEXT = msgspec.json.Decoder(msgspec.Raw)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_STRING_VALUE = msgspec.json.Decoder(str)

Data = bytes | memoryview


class BadLineError(ValueError):
    """A line that is not a valid feed object."""


class Checker:
    """Checks lines; not thread-safe, because the parser's memory is reused."""

    def __init__(self) -> None:
        self._parser = simdjson.Parser() if simdjson else None

    def identity(self, data: Data) -> str:
        """Return a good line's id, the first if it has several, as BigQuery's JSON; raise BadLineError otherwise."""
        identity = self._quickly(data)
        if isinstance(identity, str) and 0 < len(identity) <= MAX_ID_CHARACTERS:
            return identity
        return _carefully(data)

    @staticmethod
    def joined(data: Data, paths: Sequence[str]) -> str:
        """Return the texts at these paths of a good line, joined by slashes; raise BadLineError for any other line."""
        _prove_object(data)
        joined = "/".join(_text_at(data, path) for path in paths)
        if len(joined) > MAX_ID_CHARACTERS:
            raise BadLineError(f"id is longer than {MAX_ID_CHARACTERS} characters")
        return joined

    def _quickly(self, data: Data) -> object:
        # simdjson skips a byte order mark, which would corrupt the row that contains the line.
        if self._parser is None or len(data) > LARGE_BYTES or data[:1] != b"{":
            return None
        try:
            # A line that begins like this is an object or invalid JSON.
            identity = cast("simdjson.Object", self._parser.parse(data))["id"]
            self._parser.parse(b"".join((_OPENED, data, _CLOSED)))
        except (ValueError, KeyError, RuntimeError):
            # RuntimeError: an integer of more than 64 bits.
            return None
        return identity if isinstance(identity, str) else None


def _carefully(data: Data) -> str:
    return _identity(data, _prove_object(data))


def _prove_object(data: Data) -> int | None:
    """Return where the value of the object's first `id` is; raise BadLineError unless BigQuery can load the line."""
    start = cast("re.Match[bytes]", _BLANK.match(data)).end()
    if start == len(data):
        raise BadLineError("empty line")
    levels, at = _outline(data, start + 1)
    if levels > MAX_LEVELS:
        raise BadLineError(f"nested deeper than the {MAX_LEVELS} levels of BigQuery's JSON")
    try:
        _prove_json(data)
    except ValueError as error:
        raise BadLineError(f"not JSON: {error}") from None
    if data[start : start + 1] != b"{":
        raise BadLineError("not a JSON object")
    return at


def _text_at(data: Data, path: str) -> str:
    value: Data | msgspec.Raw = data
    try:
        for part in path.split("."):
            value = _MEMBERS.decode(value)[part]
        text = _STRING_VALUE.decode(value)
    except (msgspec.MsgspecError, KeyError, RecursionError):
        raise BadLineError(f"no text at {path}") from None
    if not text:
        raise BadLineError(f"no text at {path}")
    return text


def _outline(data: Data, end: int) -> tuple[int, int | None]:
    """Return the nesting depth, and the position of the value of the first `id` of an object.

    `end` is where the outermost bracket ends.
    """
    levels = level = 1
    identity = None
    while found := _STEP.match(data, end):
        # Lengths, because a group's bytes would be a copy of the line.
        opened, closed = found.end(2) - found.start(2), found.end(3) - found.start(3)
        level += opened
        levels = max(levels, level + (found.start(1) >= 0 and not opened))
        level -= closed
        if not opened and not closed and level == 1 and identity is None:
            identity = found.end()
        end = found.end()
    return levels, identity


def _prove_json(data: Data) -> None:
    """Raise ValueError unless this is valid JSON; allocates nothing for a large line."""
    if len(data) <= LARGE_BYTES:
        orjson.loads(data)
        return
    for _ in utf8_parts(data):
        pass
    _TEXT.decode(data)
    end = 0
    while (end := cast("re.Match[bytes]", _ORDINARY.match(data, end)).end()) < len(data):
        number = cast("re.Match[bytes]", _NUMBER.match(data, end))
        if isinf(float(number[0])):
            raise ValueError(f"a number beyond FLOAT64 (byte {end})")
        end = number.end()


def utf8_parts(data: Data) -> Iterator[str]:
    """Yield the text of these bytes in pieces of about a mebibyte; raise UnicodeDecodeError if they are not UTF-8."""
    at = 0
    while at < len(data):
        end = at + LARGE_BYTES
        text, read = utf_8_decode(data[at:end], "strict", end >= len(data))
        yield text
        at += read


def _identity(data: Data, at: int | None) -> str:
    if at is None or data[at : at + 1] == b"n":
        raise BadLineError("no id")
    found = _ID.match(data, at)
    if found is None:
        raise BadLineError("id is not a string")
    # A character has up to twelve bytes: two escapes such as \ud83d.
    identity = orjson.loads(found[0]) if found.end() - at <= 12 * MAX_ID_CHARACTERS + 2 else None
    if identity is None or len(identity) > MAX_ID_CHARACTERS:
        raise BadLineError(f"id is longer than {MAX_ID_CHARACTERS} characters")
    if not identity:
        raise BadLineError("no id")
    return cast("str", identity)
