"""Packages and lines land whole and equal to libbz2's output, or not at all."""

import bz2
import gzip
import json
import shutil
from collections.abc import Iterable, Iterator
from datetime import timedelta

import google_crc32c
from hypothesis import strategies as st

from services.downloader.bzip2.libbz2 import PADDING, decompress
from services.downloader.bzip2.unpacker import Unpacker
from services.downloader.json_objects import BadLineError
from services.downloader.landing import land
from services.downloader.lines import Framer, Line, split_lines
from shared.contracts.outcomes import MeshError
from tests.fuzz.malformed import malformed_bytes, malformed_json
from tests.fuzz.target import Target
from tests.support.doubles import NOON, feed_lines, package_of
from tests.support.memory import MemoryBucket

MINUTE = NOON - timedelta(hours=2)
_LINES = [*feed_lines(3), b"{}", b"", b'{"id": 5}', b'{"id":"x"} ']
_WHOLE = package_of(_LINES)
_WITH_LBZIP2 = Unpacker(processors=2, lbzip2=shutil.which("lbzip2"))


def _pieces(data: bytes, size: int) -> Iterator[bytes]:
    yield from (data[at : at + size] for at in range(0, len(data), size))


def _reference(data: bytes) -> bytes | None:
    """Return libbz2's output for consecutive streams, or None when something is invalid or left over."""
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
        if data[:1].strip(PADDING) != data[:1]:
            return None if data.strip(PADDING) else text
    return text


def check_package(given: tuple[bytes, int, bool]) -> str:
    """A package lands with every line, valid or rejected, or leaves nothing behind."""
    data, size, by_program = given
    bucket = MemoryBucket()
    unpack = _WITH_LBZIP2 if by_program else decompress
    try:
        landed = land(bucket, "domains", MINUTE, unpack(_pieces(data, size)))
    except MeshError as error:
        assert not bucket.objects
        return type(error).__name__
    text = _reference(data)
    assert text is not None
    assert (landed.bytes, landed.crc32c) == (len(text), f"{google_crc32c.value(text):08x}")
    lines = text.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    assert landed.lines == len(lines) - (not lines[-1])
    stored = bucket.objects[landed.uri.removeprefix("gs://landing/")].data
    assert len(gzip.decompress(stored).splitlines()) == landed.lines - landed.rejected
    return "landed"


def check_line(data: bytes) -> str:
    """A valid line is unchanged within its frame; any other is rejected, and can be stored."""
    framer = Framer(MINUTE)
    [line, *_] = [*_split([data]), Line(1, b"", 0)]
    try:
        framed = b"".join(framer.frame(line))
    except BadLineError as error:
        kept = json.loads(b"".join(framer.reject(line, str(error))))
        assert kept["feed_line"] == line.number
        return "rejected"
    row = json.loads(framed)
    assert (row["feed_line"], row["object"]) == (1, json.loads(bytes(line.data)))
    assert framed.count(b"\n") == 1
    return "framed"


def _split(pieces: Iterable[bytes]) -> list[Line]:
    return list(split_lines(pieces))


_PACKAGES = st.one_of(
    malformed_bytes(_WHOLE),
    malformed_bytes(_WHOLE + package_of(feed_lines(2))),
    malformed_bytes(package_of([b"\xef\xbb\xbf" + feed_lines(1)[0]]) + bytes(9)),
    st.binary(max_size=300).map(bz2.compress),
    st.binary(max_size=100),
)

# A process for each takes fifty times as long as libbz2.
_RARELY = st.integers(0, 49).map(lambda drawn: drawn == 49)

TARGETS = (
    Target("package bytes", st.tuples(_PACKAGES, st.sampled_from((1, 7, 64, 4096)), _RARELY), check_package),
    Target(
        "feed lines",
        st.one_of(
            malformed_json({"id": "a.example", "attributes": {"a": [1, 2.5, "x"], "b": None}}), st.binary(max_size=60)
        ),
        check_line,
    ),
)
