"""The rejected lines of a minute, from both objects that can hold them."""

import base64
import json

import pytest

from shared.contracts.manifests import load_rejects_name
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import landing_name, manifest_name
from shared.contracts.outcomes import MeshError, Misconfigured
from shared.operations.rejects import NotLanded, Reject, read_rejects
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket

STEM = f"{landing_name('domains', NOON)}-0123456789ab"


def landed(bucket: MemoryBucket, rejects: bool = True) -> MinuteLanded:
    """Land a minute."""
    manifest = MinuteLanded(
        feed="domains",
        minute=NOON,
        uri=bucket.uri(f"{STEM}.ndjson.gz"),
        rejects_uri=bucket.uri(f"{STEM}.rejects.ndjson") if rejects else None,
        crc32c="00000000",
        lines=9,
        rejected=2 if rejects else 0,
        bytes=10,
        landed_at=NOON,
    )
    bucket.create(manifest_name("domains", NOON), manifest.body)
    return manifest


def put(bucket: MemoryBucket, name: str, *records: object) -> None:
    """Store an object of rejects."""
    bucket.create(name, b"".join(json.dumps(record).encode() + b"\n" for record in records))


def test_lines_of_both_objects_are_shown() -> None:
    """What the downloader refused, and what BigQuery refused; bytes that are not text in base64."""
    bucket = MemoryBucket()
    manifest = landed(bucket)
    spoilt = base64.b64encode(b"\xff").decode()
    put(
        bucket,
        f"{STEM}.rejects.ndjson",
        {"feed_line": 3, "reason": "not JSON", "line": "{"},
        {"feed_line": 4, "reason": "not UTF-8", "line_base64": spoilt},
    )
    put(bucket, load_rejects_name(bucket, manifest), {"feed_line": None, "reason": "too deep", "line": "x"})
    assert read_rejects(bucket, "domains", NOON) == [
        Reject(3, "not JSON", "{"),
        Reject(4, "not UTF-8", spoilt, base64=True),
        Reject(None, "too deep", "x"),
    ]


def test_a_minute_without_rejects_has_none() -> None:
    """No object is asked for in vain."""
    bucket = MemoryBucket()
    landed(bucket, rejects=False)
    assert read_rejects(bucket, "domains", NOON) == []


def test_a_minute_that_has_not_landed_is_no_minute_without_rejects() -> None:
    """And a feed that does not exist is named."""
    with pytest.raises(NotLanded, match="minute 2026-11-21T12:00:00Z of domains has not landed"):
        read_rejects(MemoryBucket(), "domains", NOON)
    with pytest.raises(MeshError, match="unknown feed 'domians'"):
        read_rejects(MemoryBucket(), "domians", NOON)


def test_an_object_that_is_gone_or_spoilt_is_named() -> None:
    """Instead of lines that are not there."""
    bucket = MemoryBucket()
    landed(bucket)
    with pytest.raises(Misconfigured, match=r"gs://landing/\S+\.rejects\.ndjson does not exist any more"):
        read_rejects(bucket, "domains", NOON)
    put(bucket, f"{STEM}.rejects.ndjson", ["no object"])
    with pytest.raises(Misconfigured, match=r"gs://landing/\S+\.rejects\.ndjson cannot be read"):
        read_rejects(bucket, "domains", NOON)
