"""Ask for feed minutes: the one way in which planner and operator publish MinuteRequested."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Literal

from shared.messages import FEED_MINUTES, MinuteRequested
from shared.minutes import HORIZON, format_minute, manifest_name, minutes_between, oldest_served
from shared.outcomes import MeshError
from shared.ports import Bucket, Outgoing, Publisher


class BadRangeError(MeshError):
    """A range of minutes that cannot be asked for."""


def ask(
    publisher: Publisher,
    feed: str,
    minutes: Iterable[datetime],
    *,
    reason: Literal["schedule", "sweep", "replay"],
    force: bool = False,
) -> int:
    """Publish one MinuteRequested a minute; return their number once Pub/Sub holds every one."""
    requests = (MinuteRequested(feed=feed, minute=minute, reason=reason, force=force) for minute in minutes)
    return publisher.publish(FEED_MINUTES, (Outgoing(request.body(), request.attributes()) for request in requests))


def replay_range(
    feed: str, first: datetime, last: datetime, *, now: datetime, bucket: Callable[[], Bucket]
) -> list[datetime]:
    """Return the minutes of a replay, both ends inclusive; raise BadRangeError when one of them can never come.

    A minute that the source no longer keeps can be replayed only while its manifest is in the bucket.
    """
    if last < first:
        raise BadRangeError(f"the range ends before it begins: {format_minute(first)} to {format_minute(last)}")
    if last > now:
        raise BadRangeError(f"minute {format_minute(last)} lies in the future; it is now {now:%Y-%m-%dT%H:%MZ}")
    minutes = list(minutes_between(first, last))
    _refuse_vanished(feed, [minute for minute in minutes if minute < oldest_served(now)], bucket)
    return minutes


def _refuse_vanished(feed: str, old: list[datetime], bucket: Callable[[], Bucket]) -> None:
    if not old:
        return
    landing = bucket()
    if vanished := [minute for minute in old if landing.read(manifest_name(feed, minute)) is None]:
        raise BadRangeError(
            f"{len(vanished)} minutes of {feed}, the first {format_minute(vanished[0])}, are older than the "
            f"{HORIZON.days} days that the source keeps and have no manifest in bucket {landing.name!r}; "
            "begin the range later"
        )
