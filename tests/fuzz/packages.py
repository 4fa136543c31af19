"""Packages and their lines: landed whole and equal to what libbz2 makes of them, or not at all."""

import bz2
import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import timedelta

import google_crc32c
from hypothesis import strategies as st

from services.downloader.bzip2 import decompress
from services.downloader.json_objects import BadLineError
from services.downloader.landing import land
from services.downloader.lines import Framer, Line, split_lines
from services.downloader.unpack import Unpacker
from shared.memory import MemoryBucket
from shared.outcomes import MeshError
from tests.doubles import NOON, feed_lines, package_of
from tests.fuzz.bent import bent_bytes, bent_json
from tests.fuzz.target import Target

MINUTE = NOON - timedelta(hours=2)
_LINES = [*feed_lines(3), b"{}", b"", b'{"id": 5}', b'{"id":"x"} ']
_WHOLE = package_of(_LINES)
_PARALLEL = Unpacker(processors=2)


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[at : at + size] for at in range(0, len(data), size))


def _reference(data: bytes) -> bytes | None:
    """Return what libbz2 makes of one stream after the other, or None when something is wrong or left."""
    text = b""
    while data:
        decoder = bz2.BZ2Decompressor()
        try:
            text += decoder.decompress(data)
        except (OSError, EOFError):
            return None
        if not decoder.eof:
            return None
        data = decoder.unused_data
    return text


def check_package(given: tuple[bytes, int, bool]) -> str:
    """A package lands with every one of its lines, good or rejected, or leaves nothing behind."""
    data, size, parallel = given
    bucket = MemoryBucket()
    unpack = _PARALLEL if parallel else decompress
    try:
        landed = land(bucket, "domains", MINUTE, unpack(_pieces(data, size)))
    except MeshError as error:
        assert not bucket.objects
        return type(error).__name__
    text = _reference(data)
    assert text is not None
    assert (landed.bytes, landed.crc32c) == (len(text), f"{google_crc32c.value(text):08x}")
    lines = text.split(b"\n")
    assert landed.lines == len(lines) - (not lines[-1])
    stored = bucket.objects[landed.uri.removeprefix("gs://landing/")].data
    assert len(gzip.decompress(stored).splitlines()) == landed.lines - landed.rejected
    return "landed"


def check_line(data: bytes) -> str:
    """A good line comes out of its frame as what it was; any other is refused, and can be kept."""
    framer = Framer(MINUTE)
    [line, *_] = [*_split([data]), Line(1, b"", 0)]
    try:
        framed = framer.frame(line)
    except BadLineError as error:
        kept = json.loads(framer.reject(line, str(error)))
        assert kept["feed_line"] == line.number
        return "rejected"
    row = json.loads(framed)
    assert (row["feed_line"], row["object"]) == (1, json.loads(bytes(line.data)))
    assert framed.count(b"\n") == 1
    return "framed"


def _split(pieces: Iterable[bytes]) -> list[Line]:
    return list(split_lines(pieces))


_PACKAGES = st.one_of(
    bent_bytes(_WHOLE),
    bent_bytes(_WHOLE + package_of(feed_lines(2))),
    st.binary(max_size=300).map(bz2.compress),
    st.binary(max_size=100),
)

TARGETS = (
    Target("package bytes", st.tuples(_PACKAGES, st.sampled_from((1, 7, 64, 4096)), st.booleans()), check_package),
    Target(
        "feed lines",
        st.one_of(
            bent_json({"id": "a.example", "attributes": {"a": [1, 2.5, "x"], "b": None}}), st.binary(max_size=60)
        ),
        check_line,
    ),
)
