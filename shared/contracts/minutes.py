"""Feed minutes: how they are written, named in the bucket, and bounded by the source.

VirusTotal publishes one package a minute, in UTC, 60 minutes late, and keeps it for 7 days
(docs.virustotal.com/reference, feeds). A feed whose packages are hours is treated in the same way, with an hour's first
minute as its minute; what differs is its Period.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer

ONE_MINUTE = timedelta(minutes=1)
ONE_HOUR = timedelta(hours=1)
AVAILABILITY = timedelta(minutes=60)
GRACE = timedelta(minutes=1)
HORIZON = timedelta(days=7)
# Longer than a load and a merge take.
_A_MERGE = timedelta(hours=2)

_MANIFEST = re.compile(r"[a-z0-9_]+/(\d{4})/(\d{2})/(\d{2})/(\d{2})(\d{2})\.json", re.ASCII)
_WRITTEN = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2})(:00(\.0+)?)?(Z|\+00:00)", re.ASCII)


def utc_now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


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


def format_moment(moment: datetime) -> str:
    """Write a moment as `2026-11-21T14:10:30.125Z`, without a fraction when there is none (RFC 3339)."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def floor_minute(moment: datetime) -> datetime:
    """Return the start of the minute that contains a moment."""
    return moment.astimezone(UTC).replace(second=0, microsecond=0)


@dataclass(frozen=True)
class Period:
    """How often a feed has a package: every `length`, served from `availability` after its first minute on.

    length is a minute or an hour; every method takes and returns the first minutes of packages. is_kept says that the
    source keeps a package for ever; other packages are deleted after 7 days.
    """

    length: timedelta = ONE_MINUTE
    availability: timedelta = AVAILABILITY
    is_kept: bool = False

    @property
    def name(self) -> Literal["minute", "hour"]:
        """The name of a package's unit: minute or hour."""
        return "minute" if self.length == ONE_MINUTE else "hour"

    def floor(self, moment: datetime) -> datetime:
        """Return the first minute of the package that contains a moment."""
        minute = floor_minute(moment)
        return minute if self.length == ONE_MINUTE else minute.replace(minute=0)

    def last_due(self, now: datetime) -> datetime:
        """Return the newest package that the source should have by now: after availability and one minute of grace."""
        return self.floor(now - self.availability - GRACE)

    def oldest_served(self, now: datetime) -> datetime:
        """Return the oldest package of the last 7 days, which every source still has."""
        return self.floor(now - HORIZON) + self.length

    def still_has(self, package: datetime, now: datetime) -> bool:
        """Return whether the source has not deleted a package by now; it may not have it yet."""
        return self.is_kept or package >= self.oldest_served(now)

    def first_had(self, package: datetime, now: datetime) -> datetime:
        """Return a package if the source still has it, and otherwise the oldest one that it has."""
        return package if self.still_has(package, now) else self.oldest_served(now)

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Yield every package from first to last, both inclusive; nothing if last is before first."""
        while first <= last:
            yield first
            first += self.length

    def count(self, first: datetime, last: datetime) -> int:
        """Return the number of packages from first to last, both inclusive; negative or 0 if last is before first."""
        return int((last - first) / self.length) + 1


EVERY_MINUTE = Period()


def minutes_between(first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield every minute from first to last, both inclusive; nothing if last is before first."""
    return EVERY_MINUTE.between(first, last)


def last_due(now: datetime) -> datetime:
    """Return the newest minute of a feed of minutes that the source should have by now."""
    return EVERY_MINUTE.last_due(now)


def oldest_served(now: datetime) -> datetime:
    """Return the oldest minute of a feed of minutes that the source still keeps."""
    return EVERY_MINUTE.oldest_served(now)


def history_holds(minute: datetime, days: int | None, now: datetime) -> bool:
    """Return whether history keeps a minute at merge time; a partition expires this many days after its day began.

    BigQuery silently drops a row inserted into an expired partition.
    """
    midnight = minute.replace(hour=0, minute=0)
    return days is None or midnight + timedelta(days=days) > now + _A_MERGE


def expired(feed: str, minute: datetime, days: int | None) -> str:
    """Return the error for a minute that history would drop, and the remedy."""
    return (
        f"{feed}_history keeps a day for {days} days, so the rows of {format_minute(minute)} would expire as they are "
        "merged; set HISTORY_EXPIRY_DAYS higher and run `gti-mesh provision`, or leave the minute out"
    )


def replay_command(feed: str, first: datetime, last: datetime, *options: str) -> str:
    """Return the command that requests a range of minutes again."""
    return " ".join(("gti-mesh replay", feed, f"{first:%Y-%m-%dT%H:%MZ}", f"{last:%Y-%m-%dT%H:%MZ}", *options))


def landing_name(feed: str, minute: datetime) -> str:
    """Return the name in the bucket that a minute's objects share: `domains/2026/11/21/1410`."""
    return f"{feed}/{minute:%Y/%m/%d/%H%M}"


def manifest_name(feed: str, minute: datetime) -> str:
    """Return the object whose existence means that the minute has landed."""
    return f"{landing_name(feed, minute)}.json"


def day_folder(feed: str, day: date) -> str:
    """Return the beginning of the names of all objects of a day (UTC): `domains/2026/11/21/`."""
    return f"{feed}/{day:%Y/%m/%d}/"


def manifest_minute(name: str) -> datetime | None:
    """Return the minute whose manifest has this name; None if it is the name of another object."""
    written = _MANIFEST.fullmatch(name)
    if not written:
        return None
    try:
        return datetime(*(int(part) for part in written.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None


Minute = Annotated[
    datetime,
    BeforeValidator(parse_minute),
    PlainSerializer(format_minute, when_used="json"),
]
"""A whole UTC minute: read with parse_minute, written into JSON with format_minute."""
