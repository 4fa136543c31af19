"""The end of a stream's log, read without reading it all: a listing, and one small object a page that is not done.

A page that is done with never changes, so a reader that is asked again reads only what is new and what is not done yet.
"""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from shared.minutes import HORIZON
from shared.ports import Bucket, Listed
from shared.secops.delivery import Delivery, delivery_name, read_delivery
from shared.secops.pages import NotAPage, Page, PageHead, PageLog, PublishedStore, page_name, pages_folder
from shared.streams import known_streams

# A poll every five minutes writes about two thousand pages in seven days; what lies further back is not looked at.
MOST_PAGES = 2000
# A page that nobody has begun to deliver says only in itself how much it holds, and may have 4 MB.
_MOST_COUNTED = 100
_READERS = 16
_OBJECT = re.compile(r".*/(\d{10})(\.delivery)?\.json", re.ASCII)


@dataclass(frozen=True)
class LoggedPage:
    """One page and what has become of it; delivery is None where nobody has begun, and its items are not counted."""

    sequence: int
    uri: str
    landed: datetime
    delivery: Delivery | None

    @property
    def done(self) -> bool:
        """Whether nothing about this page will change."""
        return self.delivery is not None and self.delivery.finished


@dataclass(frozen=True)
class StreamLog:
    """The pages of one stream that landed in the last seven days, oldest first, and the newest page of all."""

    stream: str
    pages: tuple[LoggedPage, ...]
    newest: LoggedPage
    first_date: datetime | None
    last_date: datetime | None


class StreamReader:
    """Reads one stream's log again and again; not for several threads at once."""

    def __init__(self, bucket: Bucket, stream: str) -> None:
        self._bucket = bucket
        self._stream = stream
        self._log = PageLog(bucket, stream)
        self._hint = PublishedStore(bucket, stream)
        self._known: dict[int, LoggedPage] = {}
        self._counts: dict[int, int] = {}
        self._heads: dict[int, PageHead | None] = {}

    def read(self, now: datetime) -> StreamLog | None:
        """Return the end of the log, or None when the stream has none."""
        published = self._hint.read()[0].published
        # A page's delivery comes before it in a listing.
        start = delivery_name(page_name(self._stream, self._first_to_look_at(published)))
        self._look(list(self._bucket.listed(pages_folder(self._stream), start)), now - HORIZON)
        if not self._known:
            return None
        newest = self._known[max(self._known)]
        pages = tuple(page for page in self._known.values() if page.landed > now - HORIZON)
        first, last = self._head((pages or (newest,))[0].sequence), self._head(newest.sequence)
        return StreamLog(
            stream=self._stream,
            pages=pages,
            newest=newest,
            first_date=first.first_date if first else None,
            last_date=last.last_date if last else None,
        )

    def _first_to_look_at(self, published: int) -> int:
        open_pages = [page.sequence for page in self._known.values() if not page.done]
        unknown = max(self._known, default=0) + 1
        return max(min(open_pages, default=unknown), published - MOST_PAGES + 1, 1)

    def _look(self, listed: Sequence[Listed], since: datetime) -> None:
        """Take in what a listing tells: the pages since a moment, and the newest whenever it landed."""
        objects = {match.groups(): one for one in listed if (match := _OBJECT.fullmatch(one.name))}
        pages = {int(number): one for (number, suffix), one in objects.items() if not suffix}
        begun = {int(number) for number, suffix in objects if suffix}
        wanted = [number for number, one in pages.items() if one.created > since or number == max(pages)]
        untouched = [number for number in wanted if number not in begun][:_MOST_COUNTED]
        with ThreadPoolExecutor(_READERS) as pool:
            deliveries = dict(pool.map(self._delivery, [number for number in wanted if number in begun]))
            deliveries |= pool.map(self._uncounted, untouched)
        for number in wanted:
            uri = self._bucket.uri(pages[number].name)
            self._known[number] = LoggedPage(number, uri, pages[number].created, deliveries.get(number))
        self._known = dict(sorted(self._known.items())[-MOST_PAGES:])

    def _delivery(self, number: int) -> tuple[int, Delivery | None]:
        name = delivery_name(page_name(self._stream, number))
        stored = self._bucket.read(name)
        return number, read_delivery(stored.data, self._bucket.uri(name)) if stored else None

    def _uncounted(self, number: int) -> tuple[int, Delivery | None]:
        """Return the delivery of a page that nobody has begun; one without items is done without it."""
        if number not in self._counts:
            page = self._page(number)
            if page is None:
                return number, None
            self._counts[number] = len(page.items)
        return number, Delivery(items=self._counts[number])

    def _head(self, number: int) -> PageHead | None:
        if number not in self._heads:
            page = self._page(number)
            # The first and the newest are asked for, which move on.
            self._heads = {**dict(list(self._heads.items())[-1:]), number: page.head if page else None}
        return self._heads[number]

    def _page(self, number: int) -> Page | None:
        try:
            return self._log.read(number)
        except NotAPage:
            # Its delivery will say so, in a dead letter; all else about the log can be said without it.
            return None


class StreamReaders:
    """Reads the logs of all streams that have one."""

    def __init__(self, bucket: Bucket) -> None:
        self._readers = [StreamReader(bucket, name) for name in known_streams()]

    def read(self, now: datetime) -> list[StreamLog]:
        """Return the end of every log, by the name of its stream."""
        return [log for reader in self._readers if (log := reader.read(now))]
