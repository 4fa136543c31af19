"""Decompression bombs cost time, not memory."""

import bz2
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta

import pytest

from services.downloader.bzip2.libbz2 import decompress
from services.downloader.landing import ChangedShapeError, land
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket

# One stream of 45 bytes makes 900,000; a package may hold any number of them.
_BLOCK = bz2.compress(bytes(900_000))
_LINES = bz2.compress(b"[]\n" * 20_000)
# A line is held up to 64 MiB, once in parts and once whole.
_MAX_BYTES = 150 * 1024 * 1024


def bomb(stream: bytes, count: int) -> Iterator[bytes]:
    """Yield a package of this many equal streams."""
    for _ in range(count):
        yield stream


def test_one_endless_line_is_held_only_up_to_its_limit() -> None:
    """The beginning of 270 MB without a newline is kept as a reject, with the full size."""
    bucket = MemoryBucket()
    tracemalloc.start()
    landed = land(bucket, "domains", NOON - timedelta(hours=2), decompress(bomb(_BLOCK, 300)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (landed.lines, landed.rejected, landed.bytes) == (1, 1, 270_000_000)
    assert peak < _MAX_BYTES
    assert sum(len(stored.data) for stored in bucket.objects.values()) < 1024 * 1024


def test_lines_that_are_no_objects_do_not_land() -> None:
    """A package with mostly other content leaves nothing."""
    bucket = MemoryBucket()
    with pytest.raises(ChangedShapeError):
        land(bucket, "domains", NOON - timedelta(hours=2), decompress(bomb(_LINES, 1)))
    assert not bucket.objects
