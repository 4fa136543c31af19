"""Find where bzip2's blocks begin and its streams end, in compressed bytes that are still arriving.

Both are marked by 48 bits that may begin at any bit. Whatever the bit, five whole bytes of the mark lie inside it, so
sixteen plain byte searches find every mark, chance ones included, at a fortieth of what decoding costs.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, islice

from services.downloader.bzip2 import CorruptPackageError

# A stream: "BZh", a digit for the size of its blocks, blocks, the end mark, 32 bits of checksum, and whole bytes.
HEADER_BYTES = 4
LEVELS = b"123456789"
BLOCK_MARK = 0x314159265359
END_MARK = 0x177245385090
END_BITS = 80
_MAGIC_BITS = 48
_MAGIC_MASK = (1 << _MAGIC_BITS) - 1
# A mark that does not begin with a byte touches seven.
_SPAN = 7


@dataclass(frozen=True)
class Magic:
    """A mark: the bit of the package where it begins, and whether it ends a stream or begins a block."""

    bit: int
    ends: bool


@dataclass(frozen=True)
class _Needle:
    ends: bool
    shift: int
    before: int
    inner: bytes
    magic: int


def _needle(magic: int, shift: int, *, ends: bool) -> _Needle:
    spread = (magic << (8 - shift)).to_bytes(_SPAN)
    first = 1 if shift else 0
    return _Needle(ends, shift, first, spread[first:6], magic)


_NEEDLES = tuple(
    _needle(magic, shift, ends=ends) for magic, ends in ((BLOCK_MARK, False), (END_MARK, True)) for shift in range(8)
)


def rotated(checksum: int) -> int:
    """Return a stream's checksum as it is before that of the next block is combined with it."""
    return (checksum << 1 | checksum >> 31) & 0xFFFFFFFF


class Marked:
    """The compressed bytes of a package, as far as they are needed, with the marks in them."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._held = bytearray()
        self._held_from = 0
        self._searched_to = 0
        self._magics: list[Magic] = []
        self._forgotten = 0

    @property
    def size(self) -> int:
        """How many bytes of the package have come."""
        return self._held_from + len(self._held)

    def add(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._held += chunk
        self._search()

    def magic(self, number: int) -> Magic | None:
        """Return the mark with this number, counted from 0, reading on as far as it takes; None after the last."""
        while number - self._forgotten >= len(self._magics) and self._read_on():
            pass
        return next(islice(self._magics, number - self._forgotten, None), None)

    def bytes_at(self, start: int, count: int) -> bytes:
        """Return this many bytes of the package; fewer at its end."""
        while self._held_from + len(self._held) < start + count and self._read_on():
            pass
        at = start - self._held_from
        return bytes(self._held[at : at + count])

    def checksum_after(self, magic: Magic) -> int:
        """Return the 32 bits after a mark; raise CorruptPackageError when the package ends in them."""
        held = self.bytes_at((magic.bit + _MAGIC_BITS) // 8, 5)
        if len(held) < 4 + bool(magic.bit % 8):
            raise CorruptPackageError("the package is cut: its last bzip2 stream has no end")
        return int.from_bytes(held.ljust(5, b"\0")) >> (8 - magic.bit % 8) & 0xFFFFFFFF

    def forget(self, number: int, byte: int) -> None:
        """Drop the marks and the bytes before these."""
        del self._magics[: number - self._forgotten]
        self._forgotten = number
        # What has not been searched through is still needed; a chunk at a time keeps the copying small.
        drop = min(byte, self._searched_to) - self._held_from
        del self._held[:drop]
        self._held_from += drop

    def _read_on(self) -> bool:
        chunk = next(self._chunks, None)
        if chunk is None:
            return False
        self.add(chunk)
        return True

    def _search(self) -> None:
        first = self._searched_to - self._held_from
        last = len(self._held) - _SPAN
        if last < first:
            return
        found = chain.from_iterable(self._occurrences(needle, first, last) for needle in _NEEDLES)
        self._magics += sorted(found, key=lambda magic: magic.bit)
        self._searched_to = self._held_from + last + 1

    def _occurrences(self, needle: _Needle, first: int, last: int) -> Iterable[Magic]:
        """Yield where a needle lies, its mark beginning in the bytes from first to last."""
        end = last + needle.before + len(needle.inner)
        at = self._held.find(needle.inner, first + needle.before, end)
        while at >= 0:
            start = at - needle.before
            seen = int.from_bytes(self._held[start : start + _SPAN]) >> (8 - needle.shift)
            if seen & _MAGIC_MASK == needle.magic:
                yield Magic((self._held_from + start) * 8 + needle.shift, needle.ends)
            at = self._held.find(needle.inner, at + 1, end)
