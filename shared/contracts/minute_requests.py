"""Request feed minutes: the only code that publishes MinuteRequested, for the planner and for operators."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import groupby
from typing import Literal

from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.manifests import landed_names
from shared.contracts.messages import MinuteRequested
from shared.contracts.minutes import (
    EVERY_MINUTE,
    HORIZON,
    ONE_MINUTE,
    Period,
    expired,
    format_minute,
    history_holds,
    manifest_name,
)
from shared.contracts.outcomes import MeshError


class BadRangeError(MeshError):
    """A range of minutes that cannot be requested."""


def ask(
    publisher: Publisher,
    feed: str,
    minutes: Iterable[datetime],
    *,
    reason: Literal["schedule", "sweep", "replay"],
    force: bool = False,
) -> int:
    """Publish one MinuteRequested per minute; return their number once Pub/Sub has accepted all of them."""
    requests = (MinuteRequested(feed=feed, minute=minute, reason=reason, force=force) for minute in minutes)
    return publisher.publish(*requests)


def replay_range(
    feed: str,
    first: datetime,
    last: datetime,
    *,
    now: datetime,
    bucket: Callable[[], Bucket],
    history_days: Callable[[], int | None],
    period: Period = EVERY_MINUTE,
) -> list[datetime]:
    """Return the minutes of a replay, both ends inclusive; raise BadRangeError if any of them can no longer be fetched.

    A minute that the source no longer keeps can be replayed only while its manifest is in the bucket, and while history
    would keep its rows: a day of it expires after history_days, or never.
    """
    if last < first:
        raise BadRangeError(f"the range ends before it begins: {format_minute(first)} to {format_minute(last)}")
    for minute in (first, last):
        if minute != (begins := period.floor(minute)):
            raise BadRangeError(
                f"{format_minute(minute)} is inside an {period.name}, and {feed} has a package an {period.name}; "
                f"name it by its first minute: {format_minute(begins)}"
            )
    if last > (newest := period.last_due(now)):
        raise BadRangeError(
            f"{period.name} {format_minute(last)} is not due yet: it is served {period.availability // ONE_MINUTE} "
            f"minutes after it begins, and the newest that is due is {format_minute(newest)}"
        )
    if first < (oldest := period.oldest_served(now)):
        days = history_days()
        if not history_holds(first, days, now):
            raise BadRangeError(expired(feed, first, days))
        if not period.still_has(first, now):
            _refuse_vanished(feed, period.between(first, min(last, oldest - period.length)), bucket())
    return list(period.between(first, last))


def _refuse_vanished(feed: str, old: Iterable[datetime], bucket: Bucket) -> None:
    """Compare the minutes with the bucket, one listing per day; raise at the first day with missing manifests."""
    for day, minutes in groupby(old, key=lambda minute: minute.date()):
        there = landed_names(bucket, feed, day)
        if vanished := [minute for minute in minutes if manifest_name(feed, minute) not in there]:
            raise BadRangeError(
                f"{len(vanished)} minutes of {feed} on {day}, the first {format_minute(vanished[0])}, are older than "
                f"the {HORIZON.days} days that the source keeps and have no manifest in bucket {bucket.name!r}; "
                "begin the range later"
            )
