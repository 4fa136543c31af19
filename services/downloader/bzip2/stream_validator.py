"""Check that there is nothing between a package's streams, in the compressed bytes passed to a decoder.

File decoders silently stop after the last stream that they recognise, so a damaged header in the middle would truncate
a package. Whether a marker really ends a stream is decided by the checksum after it, which combines those of its
blocks, or by the bytes that follow.
"""

from services.downloader.bzip2.libbz2 import CorruptPackageError, check_padding
from services.downloader.bzip2.markers import (
    BLOCK_MARKER,
    END_BITS,
    END_MARKER,
    HEADER_BYTES,
    LEVELS,
    Marker,
    MarkerScanner,
)

_MARKER_BYTES = 6
_NEXT_BYTES = HEADER_BYTES + _MARKER_BYTES
# An end marker, its checksum, and the beginning of the next stream, at any bit.
_SEEN_BYTES = (END_BITS + 7) // 8 + 1 + _NEXT_BYTES


class StreamValidator:
    """Checks a package as it passes, in chunks of any size."""

    def __init__(self) -> None:
        self._scanner = MarkerScanner()
        self._checksum = 0
        self._open = True
        # Bytes after the last stream, once it is known to be the last.
        self._padded = 0

    def add(self, chunk: bytes) -> bytes:
        """Check the next bytes, and return those for the decoder: all but what follows the last stream.

        Raises CorruptPackageError when a stream is followed by anything but a stream, NUL bytes or white space. If a
        chunk ends just after a stream, up to 20 bytes of padding are recognised only with the next chunk.
        """
        if self._padded:
            check_padding(chunk)
            return b""
        self._scanner.add(chunk)
        self._follow(self._scanner.size - _SEEN_BYTES)
        return chunk[: max(0, len(chunk) - self._padded)]

    def end(self) -> None:
        """Raise CorruptPackageError unless the package ends with a stream or what may follow it."""
        self._follow(self._scanner.size)
        if self._open:
            raise CorruptPackageError("the package is truncated: its last bzip2 stream has no end")

    def _follow(self, seen: int) -> None:
        while not self._padded and (marker := self._scanner.next()) and marker.bit // 8 <= seen:
            self._pass(marker)
            self._scanner.take()
        marker = self._scanner.next()
        self._scanner.forget_before(marker.bit // 8 if marker else self._scanner.size)

    def _pass(self, marker: Marker) -> None:
        checksum = self._scanner.checksum_after(marker)
        if not marker.ends:
            self._checksum = _rotated(self._checksum) ^ checksum
            self._open = True
            return
        end = (marker.bit + END_BITS + 7) // 8
        after = self._scanner.bytes_at(end, _NEXT_BYTES)
        if not after or _begins_stream(after):
            self._checksum, self._open = 0, bool(after)
        elif checksum == self._checksum:
            self._end_of_streams(end)

    def _end_of_streams(self, end: int) -> None:
        padding = self._scanner.bytes_at(end, self._scanner.size - end)
        check_padding(padding)
        self._open, self._padded = False, len(padding)


def _rotated(checksum: int) -> int:
    """Return a stream's checksum, rotated for combination with that of the next block."""
    return (checksum << 1 | checksum >> 31) & 0xFFFFFFFF


def _begins_stream(data: bytes) -> bool:
    marker = int.from_bytes(data[HEADER_BYTES:])
    return data[:3] == b"BZh" and data[3:HEADER_BYTES] in LEVELS and marker in (BLOCK_MARKER, END_MARKER)
