"""Decode bzip2 as it arrives: one or several streams; a truncated stream is an error."""

from bz2 import BZ2Decompressor
from collections.abc import Generator, Iterable

from shared.contracts.outcomes import Retryable

# Limits the output of one step: bzip2 reaches a ratio of 45,000 on hostile input.
STEP_BYTES = 1024 * 1024
# What may follow the last stream. `bzip2 -dc` ignores anything there; here anything else counts as damage.
PADDING = b"\0 \t\n\v\f\r"


class CorruptPackageError(Retryable):
    """The package is truncated, damaged or not bzip2; the source may repair it, so it is requested again."""


def decompress(chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
    """Yield the decompressed bytes of a package; raise CorruptPackageError unless every stream reached its end.

    One BZ2Decompressor reads one stream: on a file of several it raises or, if all bytes come at once, silently ignores
    the rest; on a truncated stream it raises nothing. So a new one starts on the remaining bytes. NUL bytes and white
    space after the last stream are skipped.
    """
    decoder = BZ2Decompressor()
    started = padded = False
    for chunk in chunks:
        rest = chunk
        while rest or not (decoder.eof or decoder.needs_input):
            if decoder.eof:
                padded = padded or rest[0] in PADDING
                if padded:
                    check_padding(rest)
                    break
                decoder = BZ2Decompressor()
            started = True
            yield _step(decoder, rest)
            rest = decoder.unused_data if decoder.eof else b""
    if not started:
        raise CorruptPackageError("the package is empty: not even a bzip2 header")
    if not decoder.eof:
        raise CorruptPackageError("the package is truncated: its last bzip2 stream has no end")


def check_padding(data: bytes) -> None:
    """Raise CorruptPackageError unless these bytes are only padding."""
    if data.strip(PADDING):
        raise CorruptPackageError("the package is damaged: something other than a stream follows a stream")


def _step(decoder: BZ2Decompressor, data: bytes) -> bytes:
    try:
        return decoder.decompress(data, max_length=STEP_BYTES)
    except OSError as error:
        raise CorruptPackageError(f"the package is not bzip2 or is damaged: {error}") from None
