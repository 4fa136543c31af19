"""Landed minutes as the downloader leaves them, made without it."""

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from shared.feeds.definition import Feed
from shared.messages import MinuteLanded
from shared.minutes import format_minute, landing_name
from shared.ports import Bucket

Object = Mapping[str, Any]


def domain(name: str, *, analysed: object = None, modified: object = None, **attributes: object) -> Object:
    """Return a domain object; a date that is None is missing."""
    dates = {"last_analysis_date": analysed, "last_modification_date": modified}
    return {
        "id": name,
        "type": "domain",
        "attributes": {**{key: date for key, date in dates.items() if date is not None}, **attributes},
    }


def framed(minute: datetime, number: int, line: Object) -> str:
    """Return a line as the downloader frames it."""
    return (
        f'{{"feed_minute":"{format_minute(minute)}","feed_line":{number},'
        f'"id":{json.dumps(line["id"])},"object":{json.dumps(line)}}}\n'
    )


def land(
    bucket: Bucket, feed: Feed, minute: datetime, lines: Sequence[Object | None], *, landed_at: datetime | None = None
) -> MinuteLanded:
    """Write a minute's lines into the bucket and return its message; a line that is None was rejected before."""
    good = [framed(minute, number, line) for number, line in enumerate(lines, 1) if line is not None]
    data = "".join(good).encode()
    name = f"{landing_name(feed.name, minute)}-{uuid4().hex}.ndjson.gz"
    assert bucket.create(name, gzip.compress(data), "application/gzip")
    return MinuteLanded(
        feed=feed.name,
        minute=minute,
        uri=bucket.uri(name),
        crc32c=f"{zlib.crc32(data):08x}",
        lines=len(lines),
        rejected=len(lines) - len(good),
        bytes=len(data),
        landed_at=landed_at or minute,
    )
