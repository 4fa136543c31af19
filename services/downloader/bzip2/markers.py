"""Find where bzip2's blocks begin and its streams end, in compressed bytes that are still arriving.

Both are marked by 48 bits that may begin at any bit. Whatever the bit, five whole bytes of the marker lie inside it, so
sixteen plain byte searches find every marker, including accidental ones, at a fortieth of the cost of decoding.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

from services.downloader.bzip2.libbz2 import CorruptPackageError

# A stream: "BZh", a digit for the size of its blocks, blocks, the end marker, 32 bits of checksum, and whole bytes.
HEADER_BYTES = 4
LEVELS = b"123456789"
BLOCK_MARKER = 0x314159265359
END_MARKER = 0x177245385090
END_BITS = 80
_MARKER_BITS = 48
_MARKER_MASK = (1 << _MARKER_BITS) - 1
# A marker that is not byte-aligned spans seven bytes.
_SPAN = 7


@dataclass(frozen=True)
class Marker:
    """A marker: the bit of the package where it begins, and whether it ends a stream or begins a block."""

    bit: int
    ends: bool


@dataclass(frozen=True)
class _Needle:
    ends: bool
    shift: int
    before: int
    inner: bytes
    marker: int


def _needle(marker: int, shift: int, *, ends: bool) -> _Needle:
    spread = (marker << (8 - shift)).to_bytes(_SPAN)
    first = 1 if shift else 0
    return _Needle(ends, shift, first, spread[first:6], marker)


_NEEDLES = tuple(
    _needle(marker, shift, ends=ends)
    for marker, ends in ((BLOCK_MARKER, False), (END_MARKER, True))
    for shift in range(8)
)


class MarkerScanner:
    """The last compressed bytes of a package, and the markers in them."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._held_from = 0
        self._searched_to = 0
        self._markers: list[Marker] = []

    @property
    def size(self) -> int:
        """The number of bytes so far."""
        return self._held_from + len(self._held)

    def add(self, chunk: bytes) -> None:
        """Add the next bytes."""
        self._held += chunk
        self._search()

    def next(self) -> Marker | None:
        """Return the first marker not yet consumed; None if there is none so far."""
        return self._markers[0] if self._markers else None

    def take(self) -> None:
        """Consume the marker."""
        del self._markers[0]

    def bytes_at(self, start: int, count: int) -> bytes:
        """Return this many bytes of the package, or fewer at its current end."""
        at = start - self._held_from
        return bytes(self._held[at : at + count])

    def checksum_after(self, marker: Marker) -> int:
        """Return the 32 bits after a marker; raise CorruptPackageError if the package ends within them."""
        held = self.bytes_at((marker.bit + _MARKER_BITS) // 8, 5)
        if len(held) < 4 + bool(marker.bit % 8):
            raise CorruptPackageError("the package is truncated: its last bzip2 stream has no end")
        return int.from_bytes(held.ljust(5, b"\0")) >> (8 - marker.bit % 8) & 0xFFFFFFFF

    def forget_before(self, byte: int) -> None:
        """Drop the bytes before this one, except those that have not been searched yet."""
        drop = min(byte, self._searched_to) - self._held_from
        del self._held[:drop]
        self._held_from += drop

    def _search(self) -> None:
        first = self._searched_to - self._held_from
        last = len(self._held) - _SPAN
        if last < first:
            return
        found = chain.from_iterable(self._occurrences(needle, first, last) for needle in _NEEDLES)
        self._markers += sorted(found, key=lambda marker: marker.bit)
        self._searched_to = self._held_from + last + 1

    def _occurrences(self, needle: _Needle, first: int, last: int) -> Iterable[Marker]:
        """Yield the positions of a needle whose marker begins in the bytes from first to last."""
        end = last + needle.before + len(needle.inner)
        at = self._held.find(needle.inner, first + needle.before, end)
        while at >= 0:
            start = at - needle.before
            seen = int.from_bytes(self._held[start : start + _SPAN]) >> (8 - needle.shift)
            if seen & _MARKER_MASK == needle.marker:
                yield Marker((self._held_from + start) * 8 + needle.shift, needle.ends)
            at = self._held.find(needle.inner, at + 1, end)
