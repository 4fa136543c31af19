"""What a landing writes, counts and refuses."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader.landing import ChangedShapeError, land
from shared.contracts.outcomes import Retryable
from tests.support.doubles import feed_lines
from tests.support.memory import MemoryBucket

MINUTE = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)
BAD = b"not json"


def read(bucket: MemoryBucket, uri: str | None) -> list[dict[str, object]]:
    """Return an object's JSON lines."""
    assert uri
    data = bucket.objects[uri.removeprefix("gs://landing/")].data
    text = gzip.decompress(data) if uri.endswith(".gz") else data
    return [json.loads(line) for line in text.splitlines()]


def test_lines_and_rejects_lie_side_by_side() -> None:
    """Good lines are framed in a gzip object, bad ones are in a second object, and the manifest counts both."""
    bucket = MemoryBucket()
    lines = feed_lines(3)
    lines.insert(1, BAD)
    text = b"\n".join(lines)
    landed = land(bucket, "domains", MINUTE, [text])
    assert (landed.lines, landed.rejected, landed.bytes) == (4, 1, len(text))
    assert landed.crc32c == f"{google_crc32c.value(text):08x}"
    assert landed.uri.startswith("gs://landing/domains/2026/11/21/1410-")
    rows = read(bucket, landed.uri)
    assert [row["feed_line"] for row in rows] == [1, 3, 4]
    assert [row["object"] for row in rows] == [json.loads(line) for line in feed_lines(3)]
    [reject] = read(bucket, landed.rejects_uri)
    assert (reject["feed_line"], reject["line"]) == (2, "not json")
    stored = {bucket.uri(one.name): one.crc32c for one in bucket.listed("", "")}
    assert stored == {landed.uri: landed.object_crc32c, landed.rejects_uri: landed.rejects_crc32c}


def test_a_package_without_bad_lines_has_no_rejects_object() -> None:
    """Only the data object is written."""
    bucket = MemoryBucket()
    landed = land(bucket, "domains", MINUTE, [b"\n".join(feed_lines(2))])
    assert landed.rejects_uri is None
    assert [bucket.uri(name) for name in bucket.objects] == [landed.uri]


def test_an_empty_package_lands_with_no_lines() -> None:
    """An empty package is a valid minute."""
    bucket = MemoryBucket()
    landed = land(bucket, "domains", MINUTE, [])
    assert (landed.lines, landed.rejected, landed.bytes, landed.crc32c) == (0, 0, 0, "00000000")
    assert read(bucket, landed.uri) == []


def test_a_source_that_breaks_leaves_nothing() -> None:
    """An exception in the middle of a package leaves neither data nor rejects."""

    def breaking() -> Iterator[bytes]:
        yield BAD + b"\n" + b"\n".join(feed_lines(5))
        raise Retryable("gone")

    bucket = MemoryBucket()
    with pytest.raises(Retryable, match="gone"):
        land(bucket, "domains", MINUTE, breaking())
    assert not bucket.objects


@pytest.mark.parametrize(("good", "bad", "lands"), [(18, 2, True), (17, 3, False), (10, 9, True), (0, 19, True)])
def test_too_many_bad_lines_mean_a_changed_source(good: int, bad: int, lands: bool) -> None:
    """With more than a tenth of at least twenty lines rejected nothing lands; in a small package bad lines are kept."""
    bucket = MemoryBucket()
    text = b"\n".join(feed_lines(good) + [BAD] * bad)
    if lands:
        landed = land(bucket, "domains", MINUTE, [text])
        assert (landed.lines, landed.rejected) == (good + bad, bad)
    else:
        with pytest.raises(ChangedShapeError, match=f"{bad} of {good + bad} lines"):
            land(bucket, "domains", MINUTE, [text])
        assert not bucket.objects


@given(st.lists(st.sampled_from([*feed_lines(3), BAD, b"", b"[]", b"{}"]), max_size=19), st.integers(1, 400))
def test_every_line_is_either_loaded_or_rejected(lines: list[bytes], size: int) -> None:
    """For any lines in any chunks, data and rejects together have each line number once."""
    bucket = MemoryBucket()
    text = b"".join(line + b"\n" for line in lines)
    landed = land(bucket, "domains", MINUTE, [text[at : at + size] for at in range(0, len(text), size)])
    rejects = read(bucket, landed.rejects_uri) if landed.rejects_uri else []
    numbers = [row["feed_line"] for row in (*read(bucket, landed.uri), *rejects)]
    assert sorted(map(str, numbers)) == sorted(str(number) for number in range(1, len(lines) + 1))
    assert landed.lines == len(lines)
    assert landed.rejected == len(rejects)


def test_the_object_is_plain_gzip() -> None:
    """BigQuery detects gzip by the object's name; it needs no Content-Encoding."""
    bucket = MemoryBucket()
    landed = land(bucket, "domains", MINUTE, [b"\n".join(feed_lines(2))])
    assert bucket.objects[landed.uri.removeprefix("gs://landing/")].data[:3] == b"\x1f\x8b\x08"
