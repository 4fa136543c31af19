"""Feed minutes: how they are written, named in the bucket, and bounded by the source.

VirusTotal publishes one package a minute, in UTC, 60 minutes late, and keeps it for 7 days
(docs.virustotal.com/reference, feeds).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

ONE_MINUTE = timedelta(minutes=1)
AVAILABILITY = timedelta(minutes=60)
GRACE = timedelta(minutes=1)
HORIZON = timedelta(days=7)

_WRITTEN = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:00(\.0+)?)?(Z|\+00:00)", re.ASCII)


def parse_minute(value: object) -> datetime:
    """Read `2026-11-21T14:10:00Z` (seconds may be left out); raise ValueError for anything but a whole UTC minute."""
    if isinstance(value, datetime):
        return _whole_utc_minute(value)
    if isinstance(value, str) and (written := _WRITTEN.fullmatch(value)):
        return datetime.fromisoformat(written.group(1)).replace(tzinfo=UTC)
    raise ValueError(f"{value!r} is not a whole UTC minute; write it as 2026-11-21T14:10:00Z")


def _whole_utc_minute(value: datetime) -> datetime:
    if value.tzinfo is None or value.utcoffset() or value.second or value.microsecond:
        raise ValueError(f"{value.isoformat()} is not a whole UTC minute")
    return value.astimezone(UTC)


def format_minute(minute: datetime) -> str:
    """Write a minute as `2026-11-21T14:10:00Z`."""
    return minute.strftime("%Y-%m-%dT%H:%M:00Z")


def floor_minute(moment: datetime) -> datetime:
    """Return the whole minute that holds a moment."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


def minutes_between(first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield every minute from first to last, both inclusive; nothing when last lies before first."""
    while first <= last:
        yield first
        first += ONE_MINUTE


def last_due(now: datetime) -> datetime:
    """Return the newest minute that the source should have by now: availability and one minute of grace past."""
    return floor_minute(now - AVAILABILITY - GRACE)


def oldest_served(now: datetime) -> datetime:
    """Return the oldest minute that the source still keeps."""
    return floor_minute(now - HORIZON) + ONE_MINUTE


def landing_name(feed: str, minute: datetime) -> str:
    """Return the name in the bucket that a minute's objects share: `domains/2026/11/21/1410`."""
    return f"{feed}/{minute:%Y/%m/%d/%H%M}"


def manifest_name(feed: str, minute: datetime) -> str:
    """Return the object whose existence means that the minute has landed."""
    return f"{landing_name(feed, minute)}.json"


Minute = Annotated[
    datetime,
    BeforeValidator(parse_minute),
    PlainSerializer(format_minute, when_used="json"),
]
"""A whole UTC minute: read with parse_minute, written into JSON with format_minute."""
