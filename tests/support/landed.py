"""Landed minutes as the downloader writes them, made without it."""

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import format_minute, landing_name
from shared.feeds.definition import Feed
from shared.streams.definition import look_up

Object = Mapping[str, Any]


def domain(name: str, *, analysed: object = None, modified: object = None, **attributes: object) -> Object:
    """Return a domain object; a date that is None is missing."""
    dates = {"last_analysis_date": analysed, "last_modification_date": modified}
    return {
        "id": name,
        "type": "domain",
        "attributes": {**{key: date for key, date in dates.items() if date is not None}, **attributes},
    }


def id_of(feed: Feed, line: Object) -> str:
    """Return the id of a line: of a stream's item what its definition says, of any other line its field `id`."""
    parts = [look_up(line, path) for path in feed.identity] if feed.source == "streams" else [line["id"]]
    return "/".join(map(str, parts))


def framed(feed: Feed, minute: datetime, number: int, line: Object) -> str:
    """Return a line in the downloader's frame."""
    return (
        f'{{"feed_minute":"{format_minute(minute)}","feed_line":{number},'
        f'"id":{json.dumps(id_of(feed, line))},"object":{json.dumps(line)}}}\n'
    )


def land(
    bucket: Bucket, feed: Feed, minute: datetime, lines: Sequence[Object | None], *, landed_at: datetime | None = None
) -> MinuteLanded:
    """Write a minute's lines into the bucket and return its message; a line that is None counts as rejected before."""
    good = [framed(feed, minute, number, line) for number, line in enumerate(lines, 1) if line is not None]
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
