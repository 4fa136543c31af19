"""The pages of a stream's log by the hour in which they landed, without reading the whole log.

A page is written once its predecessor exists, so `landed_at` ascends along the log, but for the difference between the
clocks of two polls. A search by number needs a few pages for a new hour, and for an old one the logarithm of the log.
"""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count

from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import Misconfigured
from shared.streams.page_log import Page, PublishedStore, find_page, page_name

# Twice as much as any clock is wrong.
CLOCKS_DIFFER = timedelta(minutes=5)


class HourlyLog:
    """One stream's pages, by the time at which they landed."""

    def __init__(self, bucket: Bucket, stream: str) -> None:
        self._bucket = bucket
        self._stream = stream

    def pages(self, begin: datetime, end: datetime) -> Iterator[Page]:
        """Yield the pages that landed in [begin, end), in the order of the log.

        Raises Misconfigured if a page of that part of the log is missing, or cannot be read.
        """
        last = self._last()
        for sequence in range(self._first(last, begin - CLOCKS_DIFFER), last + 1):
            page = self._page(sequence)
            if page.head.landed_at >= end + CLOCKS_DIFFER:
                return
            if begin <= page.head.landed_at < end:
                yield page

    def _last(self) -> int:
        """Return the number of the newest page: that of the hint, or a later one."""
        published = PublishedStore(self._bucket, self._stream).read()[0].published
        steps = (2**power for power in count())
        beyond = next(step for step in steps if self._is_missing(published + step))
        return published + bisect_left(range(published + 1, published + beyond), 1, key=self._is_missing)

    def _first(self, last: int, since: datetime) -> int:
        """Return the first page from a time on: in doubling steps back from the last one, then by halving."""
        before, step = last, 1
        while before > 0 and self._landed_at(before) >= since:
            before, step = max(before - step, 0), 2 * step
        return before + 1 + bisect_left(range(before + 1, last + 1), since, key=self._landed_at)

    def _landed_at(self, sequence: int) -> datetime:
        return self._page(sequence).head.landed_at

    def _page(self, sequence: int) -> Page:
        page = find_page(self._bucket, self._stream, sequence)
        if page is None:
            uri = self._bucket.uri(page_name(self._stream, sequence))
            raise Misconfigured(f"{uri} is gone; restore an earlier version of it (gcloud storage restore)")
        return page

    def _is_missing(self, sequence: int) -> bool:
        name = page_name(self._stream, sequence)
        return self._bucket.next_name(name, name) != name
