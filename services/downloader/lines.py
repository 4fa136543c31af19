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

from services.downloader.json_objects import BadLineError, Checker
from shared.minutes import format_minute

# vt-go allows 10 MB a line; BigQuery loads rows of up to 100 MB. Beyond this a line is hostile, not large.
MOST_LINE_BYTES = 64 * 1024 * 1024
# What is kept of a line beyond that, so that it takes no memory either.
KEPT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Line:
    """One line of a package: its number from 1, and its bytes without the line's end.

    Of a line that is too long the data is only the beginning; size is what the line had.
    """

    number: int
    data: bytes | memoryview
    size: int


def split_lines(pieces: Iterable[bytes], most: int = MOST_LINE_BYTES) -> Iterator[Line]:
    """Yield the lines of a package; the last one may lack its newline, and a carriage return belongs to the end.

    A line is a view into its piece where it lies within one: it is to be used up before the next is asked for.
    """
    opened = _OpenLine(most)
    for piece in pieces:
        view = memoryview(piece)
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            yield opened.close(view[start:end])
            start = end + 1
        opened.add(view[start:])
    if opened.size:
        yield opened.close(memoryview(b""))


class _OpenLine:
    """The line whose end has not come yet."""

    def __init__(self, most: int) -> None:
        self.size = 0
        self._most = most
        self._number = 0
        self._parts: list[bytes] = []

    def add(self, data: memoryview) -> None:
        """Take what a piece has of the line."""
        if not data:
            return
        self._parts.append(bytes(data[: KEPT_BYTES if self.size > self._most else None]))
        self.size += len(data)
        if self.size > self._most:
            self._parts = [b"".join(self._parts)[:KEPT_BYTES]]

    def close(self, data: memoryview) -> Line:
        """Return the line, the rest of which this is, and open the next."""
        whole: bytes | memoryview = data
        if self.size:
            self.add(data)
            whole = b"".join(self._parts)
        size = self.size or len(data)
        if size == len(whole) and size and whole[-1] == 0x0D:
            whole, size = whole[:-1], size - 1
        self._number += 1
        self.size, self._parts = 0, []
        return Line(self._number, whole, size)


class Framer:
    """Frames the lines of one minute; used by one thread."""

    def __init__(self, minute: datetime) -> None:
        self._head = b'{"feed_minute":"%b","feed_line":' % format_minute(minute).encode()
        self._checker = Checker()

    def frame(self, line: Line) -> bytes:
        """Return a good line framed; raise BadLineError with the reason for any other."""
        if line.size > len(line.data):
            raise BadLineError(f"{line.size} bytes are too many for a line; the first {len(line.data)} are kept")
        identity = orjson.dumps(self._checker.identity(line.data))
        return b"".join((self._head, b'%d,"id":' % line.number, identity, b',"object":', line.data, b"}\n"))

    @staticmethod
    def reject(line: Line, reason: str) -> bytes:
        """Return a bad line as it is kept: number, reason, and the line itself, in base64 when it is not UTF-8."""
        kept: dict[str, object] = {"feed_line": line.number, "reason": reason}
        data = bytes(line.data)
        try:
            kept["line"] = data.decode()
        except UnicodeDecodeError:
            kept["line_base64"] = b64encode(data).decode()
        return orjson.dumps(kept, option=orjson.OPT_APPEND_NEWLINE)
