"""`gti-mesh secops replay threat_lists`: publish messages for landed hours of a feed that goes to SecOps."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.minutes import format_minute
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import period_of
from shared.operations.replay_pages import MAX_AT_ONCE
from shared.streams.forwarded import require_forwarded_feed
from shared.streams.landing_log import landing_message, read_landing


@dataclass(frozen=True)
class ReplayedLandings:
    """How many hours are published, and which ones have not landed."""

    published: int
    missing: tuple[datetime, ...]


def replay_landings(
    bucket: Bucket, publisher: Publisher, feed: str, first: datetime, last: datetime
) -> ReplayedLandings:
    """Publish the messages of landed hours, both ends included. Delivered hours stay delivered.

    The messages are those of pages, so that the loader is not asked again.
    """
    require_forwarded_feed(feed)
    period = period_of(feed)
    for minute in (first, last):
        if minute != (begins := period.floor(minute)):
            raise Misconfigured(f"{format_minute(minute)} is inside an hour; name it by {format_minute(begins)}")
    hours = list(period.between(first, last))
    if not 0 < len(hours) <= MAX_AT_ONCE:
        span = f"{format_minute(first)} to {format_minute(last)}"
        raise Misconfigured(f"{span}: name the first and the last hour, at most {MAX_AT_ONCE} hours")
    found = {hour: read_landing(bucket, feed, hour) for hour in hours}
    published = publisher.publish(*(landing_message(landed) for landed in found.values() if landed))
    return ReplayedLandings(published, tuple(hour for hour, landed in found.items() if landed is None))
