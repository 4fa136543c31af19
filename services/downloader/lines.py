"""Split a package into lines, check each, and frame the good ones for BigQuery.

A good line is a JSON object with a string `id`. It is framed as `{"feed_minute": ..., "feed_line": N, "id": ...,
"object": <the line, byte for byte>}`, where N is its number in the package, from 1. A bad line is kept with its number
and the reason.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

import orjson

from services.downloader.json_objects import LARGE_BYTES, BadLineError, Checker, utf8_parts
from shared.contracts.minutes import format_minute

# vt-go allows 10 MB a line; BigQuery loads rows of up to 100 MB. A longer line is hostile.
MAX_LINE_BYTES = 64 * 1024 * 1024
# How much of a longer line is kept.
KEPT_BYTES = 64 * 1024
# Some writers put one at the beginning of a file.
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# Base64 turns three bytes into four characters, so a part of this size ends without padding.
_BASE64_BYTES = 3 * 256 * 1024


@dataclass(frozen=True)
class Line:
    """One line of a package: its number from 1, and its bytes without the line's end.

    Of a line that is too long, data is only the beginning; size is its full length.
    """

    number: int
    data: bytes | memoryview
    size: int


def split_lines(pieces: Iterable[bytes], max_bytes: int = MAX_LINE_BYTES) -> Iterator[Line]:
    """Yield the lines of a package; the last one may lack its newline; CRLF counts as one line end.

    A byte order mark before the first line is left out. A line within one piece is a view of it: consume it before the
    next one is requested.
    """
    opened = _OpenLine(max_bytes)
    for piece in _without_mark(pieces):
        view = memoryview(piece)
        start = 0
        while (end := piece.find(b"\n", start)) >= 0:
            yield opened.close(view[start:end])
            start = end + 1
        opened.add(view[start:])
    if opened.size:
        yield opened.close(memoryview(b""))


def _without_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    first, rest = b"", iter(pieces)
    while len(first) < len(_BYTE_ORDER_MARK) and (piece := next(rest, None)) is not None:
        first += piece
    yield first.removeprefix(_BYTE_ORDER_MARK)
    yield from rest


class _OpenLine:
    """The line that is not complete yet."""

    def __init__(self, max_bytes: int) -> None:
        self.size = 0
        self._max_bytes = max_bytes
        self._number = 0
        # Grows in place, so that a large line is held only once.
        self._held = bytearray()

    def add(self, data: memoryview) -> None:
        """Append a part of the line."""
        if self.size <= self._max_bytes:
            self._held += data
        self.size += len(data)
        if self.size > self._max_bytes:
            del self._held[KEPT_BYTES:]

    def close(self, data: memoryview) -> Line:
        """Return the line completed by this last part, and begin the next."""
        whole = data
        if self.size:
            self.add(data)
            whole = memoryview(self._held)
        size = self.size or len(data)
        if size == len(whole) and size and whole[-1] == 0x0D:
            whole, size = whole[:-1], size - 1
        self._number += 1
        self.size, self._held = 0, bytearray()
        return Line(self._number, whole, size)


class Framer:
    """Frames the lines of one minute; not thread-safe.

    A line's id is the text at `identity`, or those at several paths, joined by slashes.
    """

    def __init__(self, minute: datetime, identity: Sequence[str] = ("id",)) -> None:
        self._head = b'{"feed_minute":"%b","feed_line":' % format_minute(minute).encode()
        self._checker = Checker()
        self._identity = tuple(identity)

    def frame(self, line: Line) -> Iterable[bytes]:
        """Return a good line framed, a large one in pieces; raise BadLineError with the reason for any other."""
        if line.size > len(line.data):
            raise BadLineError(f"{line.size} bytes are too many for a line; the first {len(line.data)} are kept")
        identity = orjson.dumps(self._id(line.data))
        head = b'%b%d,"id":%b,"object":' % (self._head, line.number, identity)
        if len(line.data) <= LARGE_BYTES:
            return (b"".join((head, line.data, b"}\n")),)
        return chain((head,), _parts(line.data, LARGE_BYTES), (b"}\n",))

    def _id(self, data: bytes | memoryview) -> str:
        has_id = self._identity == ("id",)
        return self._checker.identity(data) if has_id else self._checker.joined(data, self._identity)

    @staticmethod
    def reject(line: Line, reason: str) -> Iterator[bytes]:
        """Yield a bad line's reject record, in pieces: number, reason, and the line, in base64 when it is not UTF-8."""
        yield orjson.dumps({"feed_line": line.number, "reason": reason})[:-1]
        if _is_utf8(line.data):
            yield b',"line":"'
            yield from (orjson.dumps(text)[1:-1] for text in utf8_parts(line.data))
        else:
            yield b',"line_base64":"'
            yield from map(b64encode, _parts(line.data, _BASE64_BYTES))
        yield b'"}\n'


def _parts(data: bytes | memoryview, size: int) -> Iterator[bytes]:
    # Copies, so that a queued piece does not keep the whole line in memory.
    return (bytes(data[at : at + size]) for at in range(0, len(data), size))


def _is_utf8(data: bytes | memoryview) -> bool:
    try:
        for _ in utf8_parts(data):
            pass
    except UnicodeDecodeError:
        return False
    return True
