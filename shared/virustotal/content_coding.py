"""Undo the Content-Encoding of a body, in steps of bounded size.

The client requests none, since packages are already compressed, but a proxy or bucket in between may add one.
"""

import zlib
from collections.abc import Callable, Iterator

from shared.contracts.outcomes import TransientError

# A small gzip body can decompress to a thousand times its size.
_STEP_BYTES = 256 * 1024
_GZIP_BITS, _ZLIB_BITS, _RAW_BITS = 31, 15, -15
_SHOWN = 60


def undo_codings(header: str, chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    """Return a body with its Content-Encoding undone.

    Supports gzip and deflate (RFC 9110, section 8.4.1), the latter with or without the zlib header. Raises
    TransientError for any other coding, and while reading for a truncated or damaged body.
    """
    for coding in reversed([name.strip().lower() for name in header.split(",")]):
        if coding in ("gzip", "x-gzip"):
            chunks = _inflated(chunks, lambda _: _GZIP_BITS, f"{what}: gzip")
        elif coding == "deflate":
            chunks = _inflated(_from_two_bytes(chunks), _deflate_bits, f"{what}: deflate")
        elif coding not in ("", "identity"):
            raise TransientError(f"{what}: the body has the unknown Content-Encoding {coding[:_SHOWN]!r}")
    return chunks


def _inflated(chunks: Iterator[bytes], bits: Callable[[bytes], int], what: str) -> Iterator[bytes]:
    decoder = None
    for chunk in chunks:
        rest, piece = chunk, b""
        while rest or len(piece) == _STEP_BYTES:
            if decoder is None or decoder.eof:
                if decoder and not rest.strip(b"\0"):
                    break
                # A gzip body may have several members.
                decoder = zlib.decompressobj(bits(rest))
            try:
                piece = decoder.decompress(rest, _STEP_BYTES)
            except zlib.error as error:
                raise TransientError(f"{what}: the body is damaged or has another coding: {error}") from None
            if piece:
                yield piece
            rest = decoder.unused_data if decoder.eof else decoder.unconsumed_tail
    if decoder and not decoder.eof:
        raise TransientError(f"{what}: the encoded body is truncated")


def _deflate_bits(begin: bytes) -> int:
    # RFC 1950: the first two bytes are a multiple of 31, and the method is 8. Some servers leave that header out.
    has_header = begin[0] & 0x0F == 8 and int.from_bytes(begin[:2]) % 31 == 0
    return _ZLIB_BITS if has_header else _RAW_BITS


def _from_two_bytes(chunks: Iterator[bytes]) -> Iterator[bytes]:
    first = b""
    while len(first) < 2 and (chunk := next(chunks, None)) is not None:
        first += chunk
    yield first
    yield from chunks
