"""Manifests: the objects whose existence means that a minute has landed."""

import re
from datetime import date, datetime
from typing import TypeVar

from shared.contracts.interfaces import Bucket
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import day_folder, manifest_minute, manifest_name, replay_command
from shared.contracts.outcomes import Misconfigured
from shared.contracts.stored_objects import read_stored

# No feed is as old.
FIRST_DAY = date(2000, 1, 1)
L = TypeVar("L", bound=MinuteLanded)
_DAY = re.compile(r"[a-z0-9_]+/(\d{4})/(\d{2})/(\d{2})/", re.ASCII)


def landed_names(bucket: Bucket, feed: str, day: date) -> frozenset[str]:
    """Return the names of all minutes that landed on a day (UTC): a few listings instead of 1,440 reads."""
    return frozenset(bucket.names(day_folder(feed, day)))


def landed_minutes(bucket: Bucket, feed: str, day: date) -> dict[datetime, datetime]:
    """Return the minutes that landed on a day (UTC), each with the time at which its manifest was created."""
    folder = day_folder(feed, day)
    found = ((manifest_minute(one.name), one.created) for one in bucket.listed(folder, folder))
    return {minute: created for minute, created in found if minute}


def next_landed_day(bucket: Bucket, feed: str, day: date) -> date | None:
    """Return the first day from a day on that has objects, or None: two listings of one name each, however long ago."""
    start = day_folder(feed, day)
    while name := bucket.next_name(f"{feed}/", start):
        folder = _DAY.match(name)
        if not folder:
            return None
        try:
            return date(*(int(part) for part in folder.groups()))
        except ValueError:
            # Not one of our names, such as `domains/2026/13/`; nothing with this beginning is.
            start = f"{folder[0]}~"
    return None


def load_rejects_name(bucket: Bucket, landed: MinuteLanded) -> str:
    """Return the object that holds the lines which BigQuery rejected, if any were."""
    return f"{bucket.name_of(landed.uri).removesuffix('.ndjson.gz')}.load-rejects.ndjson"


def read_manifest(bucket: Bucket, feed: str, minute: datetime) -> MinuteLanded | None:
    """Return a minute's manifest, or None if it has not landed; raise Misconfigured if it is invalid."""
    return read_manifest_as(MinuteLanded, bucket, feed, minute)


def read_manifest_as(kind: type[L], bucket: Bucket, feed: str, minute: datetime) -> L | None:
    """Return a minute's manifest, read as this model; otherwise like read_manifest()."""
    name = manifest_name(feed, minute)
    remedy = f"to land the minute again: {replay_command(feed, minute, minute, '--replace', '--force')}"
    landed, _ = read_stored(bucket, name, kind, remedy=remedy)
    if landed and (landed.feed, landed.minute) != (feed, minute):
        raise Misconfigured(f"{bucket.uri(name)} is the manifest of another minute; {remedy}")
    return landed
