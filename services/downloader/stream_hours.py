"""The package of an hour of a stream: every item of the pages that landed in the hour, as lines.

Pages never change, so a second package of an hour has the same lines under the same numbers, unless a page was written
long after the time that it names. The audit reports such a page.
"""

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from shared.contracts.interfaces import Bucket
from shared.contracts.minutes import ONE_MINUTE, format_minute
from shared.contracts.outcomes import Retryable
from shared.feeds.definition import Feed
from shared.streams.hours import HourlyLog
from shared.virustotal.errors import NotAvailableYet

# Items are JSON, which has line breaks only between tokens.
_ON_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class StreamHours:
    """Reads hours; thread-safe."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        deadline: timedelta,
        now: Callable[[], datetime],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bucket = bucket
        self._deadline = deadline
        self._now = now
        self._elapsed = elapsed

    def lines(self, feed: Feed, hour: datetime) -> Iterator[bytes]:
        """Yield the lines of an hour; raise NotAvailableYet while pages of it may still be written."""
        period = feed.every()
        if self._now() < hour + period.availability:
            waits = period.availability // ONE_MINUTE
            raise NotAvailableYet(f"{feed.name} of {format_minute(hour)} is complete {waits} minutes after it begins")
        end = self._elapsed() + self._deadline.total_seconds()
        for page in HourlyLog(self._bucket, feed.name).pages(hour, hour + period.length):
            if self._elapsed() > end:
                # Past the ack deadline Pub/Sub redelivers the hour; stop before that.
                raise Retryable("reading the pages took longer than the deadline; nothing landed")
            for item in page.items:
                yield b"%b\n" % item.translate(_ON_ONE_LINE)
