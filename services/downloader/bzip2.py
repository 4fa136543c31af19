"""Decode bzip2 as it arrives: one stream or several, and never a cut one as if it were whole."""

from bz2 import BZ2Decompressor
from collections.abc import Generator, Iterable

from shared.outcomes import Retryable

# Bounds what one step may unpack: bzip2 reaches a ratio of 45,000 on hostile input.
STEP_BYTES = 1024 * 1024


class CorruptPackageError(Retryable):
    """The package is cut, damaged or not bzip2; the source may heal it, so it is asked for again."""


def decompress(chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield the decompressed bytes of a package; raise CorruptPackageError unless every stream reached its end.

    One BZ2Decompressor reads one stream: on a file of several it raises or, when all bytes come at once, silently
    ignores the rest; on a cut one it raises nothing. So a new one starts on what the last left over.
    """
    decoder = BZ2Decompressor()
    started = False
    for chunk in chunks:
        rest = chunk
        while rest or not decoder.needs_input:
            if decoder.eof:
                decoder = BZ2Decompressor()
            started = True
            yield _step(decoder, rest)
            rest = decoder.unused_data if decoder.eof else b""
            if decoder.eof and not rest:
                break
    if not started:
        raise CorruptPackageError("the package is empty: not even a bzip2 header")
    if not decoder.eof:
        raise CorruptPackageError("the package is cut: its last bzip2 stream has no end")


def _step(decoder: BZ2Decompressor, data: bytes) -> bytes:
    try:
        return decoder.decompress(data, max_length=STEP_BYTES)
    except OSError as error:
        raise CorruptPackageError(f"the package is no bzip2 or damaged: {error}") from None
