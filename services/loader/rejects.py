"""Lines that BigQuery refused: found by what it took, and kept beside the data with the server's message."""

import gzip
import re
from collections.abc import Iterator, Set
from io import BytesIO

import orjson

from shared.messages import MinuteLanded
from shared.minutes import landing_name, manifest_name
from shared.outcomes import Poison
from shared.ports import Bucket

# At the beginning of every line that the downloader frames.
_HEAD = re.compile(rb'\{"feed_minute":"[^"]*","feed_line":(\d+),')


def object_name(bucket: Bucket, uri: str) -> str:
    """Return the name in the bucket of an object's gs:// address."""
    return uri.removeprefix(bucket.uri(""))


def read_landed(bucket: Bucket, landed: MinuteLanded) -> bytes:
    """Return the landed object, compressed as it lies there; raise Poison when it is gone."""
    stored = bucket.read(object_name(bucket, landed.uri))
    if stored is None:
        manifest = bucket.uri(manifest_name(landed.feed, landed.minute))
        raise Poison(f"{landed.uri} is not there any more; delete {manifest} and replay the minute to land it anew")
    return stored.data


def keep_rejects(bucket: Bucket, landed: MinuteLanded, kept: Set[int], reason: str) -> int:
    """Write the lines that are not among the kept ones beside the data, and return their number."""
    rejects = list(_rejects(read_landed(bucket, landed), kept, reason))
    if rejects:
        stem = object_name(bucket, landed.uri).removesuffix(".ndjson.gz")
        # A redelivery finds the same lines missing, so an object that is there already is this one.
        bucket.create(f"{stem}.load-rejects.ndjson", b"".join(rejects), "application/x-ndjson")
    return len(rejects)


def _rejects(landed: bytes, kept: Set[int], reason: str) -> Iterator[bytes]:
    with gzip.open(BytesIO(landed)) as lines:
        for line in lines:
            head = _HEAD.match(line)
            number = int(head.group(1)) if head else None
            if number is None or number not in kept:
                reject = {"feed_line": number, "reason": reason, "line": line.decode(errors="replace").rstrip("\n")}
                yield orjson.dumps(reject, option=orjson.OPT_APPEND_NEWLINE)


def names_this_minute(bucket: Bucket, landed: MinuteLanded) -> bool:
    """Tell whether an address names one object of the very minute; a `*` would load others beside it."""
    stem = re.escape(bucket.uri(landing_name(landed.feed, landed.minute)))
    return re.fullmatch(rf"{stem}-[A-Za-z0-9_-]+\.ndjson\.gz", landed.uri) is not None
