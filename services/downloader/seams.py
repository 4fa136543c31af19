"""Follow where a package's streams end and the next begin, in compressed bytes on their way to a decoder.

Decoders of files stop at what follows the last stream that they know, and say nothing: a damaged header in the middle
would cut a package short. Whether a mark ends a stream is told by the checksum after it, which combines those of the
blocks before, or by what follows.
"""

from services.downloader.bzip2 import CorruptPackageError
from services.downloader.magics import BLOCK_MARK, END_BITS, END_MARK, HEADER_BYTES, LEVELS, Magic, Marked, rotated

_MARK_BYTES = 6
_NEXT_BYTES = HEADER_BYTES + _MARK_BYTES
# A mark, its checksum, and the beginning of the next stream, at any bit.
_SEEN_BYTES = (END_BITS + 7) // 8 + 1 + _NEXT_BYTES


class Seams:
    """Looks at a package as it passes, in chunks of any size."""

    def __init__(self) -> None:
        self._marked = Marked(())
        self._number = 0
        self._checksum = 0
        self._open = True

    def add(self, chunk: bytes) -> None:
        """Look at the next bytes; raise CorruptPackageError when something else follows a stream than a stream."""
        self._marked.add(chunk)
        self._follow(self._marked.size - _SEEN_BYTES)

    def end(self) -> None:
        """Raise CorruptPackageError unless the package ends with a stream."""
        self._follow(self._marked.size)
        if self._open:
            raise CorruptPackageError("the package is cut: its last bzip2 stream has no end")

    def _follow(self, seen: int) -> None:
        while (magic := self._marked.magic(self._number)) and magic.bit // 8 <= seen:
            self._pass(magic)
            self._number += 1
        self._marked.forget(self._number, magic.bit // 8 if magic else self._marked.size)

    def _pass(self, magic: Magic) -> None:
        checksum = self._marked.checksum_after(magic)
        if not magic.ends:
            self._checksum = rotated(self._checksum) ^ checksum
            self._open = True
            return
        after = self._marked.bytes_at((magic.bit + END_BITS + 7) // 8, _NEXT_BYTES)
        follows = not after or _begins_stream(after)
        if follows:
            self._checksum, self._open = 0, bool(after)
        elif checksum == self._checksum:
            raise CorruptPackageError("the package is damaged: what follows a stream is no other")


def _begins_stream(data: bytes) -> bool:
    mark = int.from_bytes(data[HEADER_BYTES:])
    return data[:3] == b"BZh" and data[3:HEADER_BYTES] in LEVELS and mark in (BLOCK_MARK, END_MARK)
