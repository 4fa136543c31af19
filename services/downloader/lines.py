"""Split a package into lines, check each, and frame the good ones for BigQuery.

A good line is a JSON object with a string `id`. It is framed as
`{"feed_minute": ..., "feed_line": N, "id": ..., "object": <the line, byte for byte>}`, N being its number in the
package from 1. A bad line is kept with its number and the reason.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

import orjson

from shared.minutes import format_minute
from shared.outcomes import Poison

# vt-go allows 10 MB a line; BigQuery loads rows of up to 100 MB. Beyond this a package is hostile, not large.
MOST_LINE_BYTES = 64 * 1024 * 1024
# A BigQuery STRING has no such limit; an id of this size is no id of any VirusTotal object.
MOST_ID_CHARACTERS = 16_384


class BadLineError(ValueError):
    """A line that is not what a feed promises."""


@dataclass(frozen=True)
class Line:
    """One line of a package: its number from 1, and its bytes without the line's end."""

    number: int
    data: bytes


def split_lines(pieces: Iterable[bytes]) -> Iterator[Line]:
    """Yield the lines of a package; the last one may lack its newline, and a carriage return belongs to the end."""
    number = 0
    open_line: list[bytes] = []
    open_bytes = 0
    for piece in pieces:
        *ended, tail = piece.split(b"\n")
        for data in ended:
            number += 1
            yield Line(number, b"".join((*open_line, data)).removesuffix(b"\r"))
            open_line, open_bytes = [], 0
        if tail:
            open_line.append(tail)
            open_bytes += len(tail)
            if open_bytes > MOST_LINE_BYTES:
                raise Poison(f"line {number + 1} is longer than {MOST_LINE_BYTES} bytes")
    if open_line:
        yield Line(number + 1, b"".join(open_line).removesuffix(b"\r"))


class Framer:
    """Frames the lines of one minute."""

    def __init__(self, minute: datetime) -> None:
        self._head = b'{"feed_minute":"%b","feed_line":' % format_minute(minute).encode()

    def frame(self, line: Line) -> bytes:
        """Return a good line framed; raise BadLineError with the reason for any other."""
        identity = orjson.dumps(_id(line.data))
        return b'%b%d,"id":%b,"object":%b}\n' % (self._head, line.number, identity, line.data)

    @staticmethod
    def reject(line: Line, reason: str) -> bytes:
        """Return a bad line as it is kept: number, reason, and the line itself, in base64 when it is not UTF-8."""
        kept: dict[str, object] = {"feed_line": line.number, "reason": reason}
        try:
            kept["line"] = line.data.decode()
        except UnicodeDecodeError:
            kept["line_base64"] = b64encode(line.data).decode()
        return orjson.dumps(kept, option=orjson.OPT_APPEND_NEWLINE)


def _id(data: bytes) -> str:
    if not data.strip():
        raise BadLineError("empty line")
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadLineError(f"not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadLineError("not a JSON object")
    identity = value.get("id")
    if not isinstance(identity, str) or not identity:
        raise BadLineError("no id" if identity in (None, "") else "id is not a string")
    if len(identity) > MOST_ID_CHARACTERS:
        raise BadLineError(f"id is longer than {MOST_ID_CHARACTERS} characters")
    return identity
