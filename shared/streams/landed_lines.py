"""The lines of a landing, read in pieces: an hour of threat lists is some 50 MB."""

import zlib
from collections.abc import Iterator

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import MinuteLanded
from shared.contracts.outcomes import Poison
from shared.streams.landing_log import items_of

_PIECE_BYTES = 1024 * 1024
# The `wbits` of zlib: a gzip header, and the largest window.
_GZIP = 31


def landed_lines(bucket: Bucket, landed: MinuteLanded) -> Iterator[bytes]:
    """Yield the lines of the landing that a manifest commits.

    Raises Poison if the object is missing, or if it is not the one that the manifest describes. The latter may be known
    only after the last line.
    """
    found = 0
    for line in _lines(bucket, landed):
        yield line
        found += 1
    if found != items_of(landed):
        raise Poison("invalid_page", f"{landed.uri} has {found} lines, and {items_of(landed)} by its manifest")


def _lines(bucket: Bucket, landed: MinuteLanded) -> Iterator[bytes]:
    rest = b""
    for piece in _text(bucket, landed):
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _text(bucket: Bucket, landed: MinuteLanded) -> Iterator[bytes]:
    unpacker = zlib.decompressobj(_GZIP)
    found = False
    try:
        for piece in bucket.pieces(bucket.name_of(landed.uri)):
            found, packed = True, piece
            while packed:
                yield unpacker.decompress(packed, _PIECE_BYTES)
                packed = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error as error:
        raise Poison("invalid_page", f"{landed.uri} cannot be decompressed: {error}") from None
    if not found:
        raise Poison("object_missing", f"{landed.uri} does not exist, and its manifest does")
    if not unpacker.eof:
        raise Poison("invalid_page", f"{landed.uri} is cut off")
