"""Decode one package on several processors: bzip2's blocks are independent, and libbz2 runs without the GIL.

Each block is wrapped as a stream of its own, which libbz2 decodes and checks; here remain the order, the checksum of
the whole stream, and that nothing lies between the blocks. A mark can also occur by chance inside a block: then the
block as cut fails to decode, and is tried again up to the mark after.
"""

from bz2 import BZ2Decompressor
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from services.downloader.bzip2 import STEP_BYTES, CorruptPackageError
from services.downloader.magics import END_BITS, END_MARK, HEADER_BYTES, LEVELS, Magic, Marked, rotated

# A block: 48 bits of mark, 32 of checksum, data. No block that libbz2 accepts is longer than about 2.3 MB: 900,000
# symbols of at most 20 bits, and its tables.
_CHECKSUM_BITS = 32
_LEAST_BLOCK_BITS = 80
_MOST_BLOCK_BITS = 20_000_000
# One mark by chance in all the blocks that VirusTotal will ever publish is unlikely; this many in one block are made.
_MOST_CHANCE_MARKS = 16
# Runs of one byte let a block of 900 kB unpack to 46 MB; past this much it is unpacked by whoever reads it.
_MOST_AHEAD = 4 * STEP_BYTES

Job = tuple[int, Future["_Block"]]


@dataclass(frozen=True)
class _Block:
    """A decoded block: its bytes, in pieces, and the decoder that has more of them."""

    pieces: list[bytes]
    decoder: BZ2Decompressor

    def unpacked(self) -> Iterator[bytes]:
        """Yield every piece, the rest in bounded steps."""
        yield from self.pieces
        while not self.decoder.eof:
            yield _step(self.decoder)


def decompress_blocks(chunks: Iterable[bytes], threads: Executor, ahead: int) -> Generator[bytes, None, None]:
    """Yield what bzip2.decompress would, `ahead` blocks being decoded by threads before they are asked for."""
    return _Package(Marked(chunks), threads, ahead).unpacked()


class _Package:
    def __init__(self, marked: Marked, threads: Executor, ahead: int) -> None:
        self._marked = marked
        self._threads = threads
        self._ahead = ahead
        self._jobs: deque[Job] = deque()
        self._number = 0

    def unpacked(self) -> Generator[bytes, None, None]:
        byte = 0
        try:
            while header := self._marked.bytes_at(byte, HEADER_BYTES):
                _check_header(header, first=byte == 0)
                end = yield from self._stream((byte + HEADER_BYTES) * 8)
                byte = (end + END_BITS + 7) // 8
        finally:
            for _, job in self._jobs:
                job.cancel()
        if byte == 0:
            raise CorruptPackageError("the package is empty: not even a bzip2 header")

    def _stream(self, bit: int) -> Generator[bytes, None, int]:
        """Yield a stream's bytes and return the bit where its end mark begins."""
        checksum = 0
        magic = self._expect(bit)
        while not magic.ends:
            checksum = rotated(checksum) ^ self._marked.checksum_after(magic)
            block, number = self._block(magic)
            yield from block.unpacked()
            self._number = number
            self._marked.forget(number, magic.bit // 8)
            magic = self._magic(number)
        if checksum != self._marked.checksum_after(magic):
            raise CorruptPackageError("the package is damaged: a stream's checksum is wrong")
        self._number += 1
        return magic.bit

    def _expect(self, bit: int) -> Magic:
        # A chance mark in the four bytes of a header and the checksum before it is passed over.
        while (magic := self._magic(self._number)).bit < bit:
            self._number += 1
        if magic.bit != bit:
            raise CorruptPackageError("the package is damaged: a stream begins without a block")
        return magic

    def _magic(self, number: int) -> Magic:
        magic = self._marked.magic(number)
        if magic is None:
            raise CorruptPackageError("the package is cut: its last bzip2 stream has no end")
        return magic

    def _block(self, magic: Magic) -> tuple[_Block, int]:
        """Return the block at a mark, and the number of the mark where it ends."""
        self._decode_ahead()
        following = self._number + 1
        while self._jobs and self._jobs[0][0] < self._number:
            self._jobs.popleft()[1].cancel()
        if not self._jobs:
            self._magic(following)
        try:
            return self._jobs.popleft()[1].result(), following
        except OSError as error:
            return self._longer_block(magic, following + 1, error)

    def _longer_block(self, magic: Magic, number: int, error: OSError) -> tuple[_Block, int]:
        for end in range(number, number + _MOST_CHANCE_MARKS):
            following = self._marked.magic(end)
            if following is None or following.bit - magic.bit > _MOST_BLOCK_BITS:
                break
            try:
                return _decode(*self._bits(magic, following)), end
            except OSError:
                continue
        raise CorruptPackageError(f"the package is cut or damaged: {error}") from None

    def _decode_ahead(self) -> None:
        number = max(self._number, self._jobs[-1][0] + 1 if self._jobs else 0)
        while number < self._number + self._ahead:
            magic, following = self._marked.magic(number), self._marked.magic(number + 1)
            if magic is None or following is None:
                return
            if not magic.ends:
                self._jobs.append((number, self._threads.submit(_decode, *self._bits(magic, following))))
            number += 1

    def _bits(self, magic: Magic, following: Magic) -> tuple[bytes, int, int]:
        first = magic.bit // 8
        held = self._marked.bytes_at(first, (following.bit + 7) // 8 - first)
        return held, magic.bit % 8, following.bit - magic.bit


def _check_header(header: bytes, *, first: bool) -> None:
    if header[:3] == b"BZh" and header[3:] in LEVELS and len(header) == HEADER_BYTES:
        return
    what = "the package is no bzip2" if first else "the package is damaged: what follows a stream is no other"
    raise CorruptPackageError(what)


def _decode(held: bytes, skipped: int, bits: int) -> _Block:
    """Decode one block; raise OSError when these bits are not one whole block."""
    decoder = BZ2Decompressor()
    pieces = [decoder.decompress(_wrapped(held, skipped, bits), STEP_BYTES)]
    while not decoder.eof and not decoder.needs_input and len(pieces) * STEP_BYTES < _MOST_AHEAD:
        pieces.append(decoder.decompress(b"", STEP_BYTES))
    if not decoder.eof and decoder.needs_input:
        raise OSError("a block is cut")
    return _Block(pieces, decoder)


def _wrapped(held: bytes, skipped: int, bits: int) -> bytes:
    """Return a block as a stream of one, in whose header the largest size leaves room for any."""
    if bits <= _LEAST_BLOCK_BITS:
        raise OSError("a block without data")
    block = int.from_bytes(held) >> (len(held) * 8 - skipped - bits) & ((1 << bits) - 1)
    checksum = block >> (bits - _LEAST_BLOCK_BITS) & 0xFFFFFFFF
    stream = (block << 48 | END_MARK) << _CHECKSUM_BITS | checksum
    padding = -bits % 8
    return b"BZh9" + (stream << padding).to_bytes((bits + padding + END_BITS) // 8)


def _step(decoder: BZ2Decompressor) -> bytes:
    try:
        piece = decoder.decompress(b"", STEP_BYTES)
    except OSError as error:
        raise CorruptPackageError(f"the package is damaged: {error}") from None
    if not piece and not decoder.eof:
        raise CorruptPackageError("the package is damaged: a block does not end")
    return piece
