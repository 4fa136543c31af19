"""The recent part of a stream's log: a listing, and one small object per unfinished page.

A finished page never changes, so a reader re-reads only new and unfinished pages.
"""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Literal

from shared.contracts.interfaces import Bucket, Listed
from shared.contracts.minutes import HORIZON
from shared.operations.feed_conditions import (
    FeedCondition,
    destination_conditions,
    log_type_conditions,
    stream_conditions,
)
from shared.operations.problems import Problem, readable
from shared.streams.delivery_progress import Delivery, delivery_name, find_delivery
from shared.streams.landing_log import hour_of
from shared.streams.page_log import NotAPage, Page, PageHead, PageLog, PublishedStore, page_name, pages_folder

# A poll every five minutes writes about two thousand pages in seven days; older pages are not read.
MAX_PAGES = 2000
# The items of a page without a delivery record can be counted only by reading the page, up to 4 MB.
_MAX_COUNTED = 100
_READERS = 16
_OBJECT = re.compile(r".*/(\d{10})(\.delivery)?\.json", re.ASCII)


Unit = Literal["page", "hour"]
"""What a log consists of: the pages of a stream, or the landed hours of a feed, by their numbers since 1970."""

_Seen = tuple[Delivery | None, Problem | None]


@dataclass(frozen=True)
class LoggedPage:
    """One page and its delivery; delivery is None if it has not begun and its items are not counted.

    problem says why the delivery cannot be read, if so.
    """

    sequence: int
    uri: str
    landed: datetime
    delivery: Delivery | None
    problem: Problem | None = None

    @property
    def hour(self) -> datetime:
        """The hour that a landing is about."""
        return hour_of(self.sequence)

    @property
    def done(self) -> bool:
        """Whether this page is finished and will not change."""
        return self.delivery is not None and self.delivery.finished


@dataclass(frozen=True)
class StreamLog:
    """The pages of one stream that landed in the last seven days, oldest first, and the newest page of all, if any.

    condition is why SecOps accepts none of them, and source why VirusTotal gives no items, if so. pass_began is when
    the last completed pass began. problems has objects that cannot be read.
    """

    stream: str
    pages: tuple[LoggedPage, ...]
    newest: LoggedPage | None
    first_date: datetime | None
    last_date: datetime | None
    condition: FeedCondition | None = None
    source: FeedCondition | None = None
    pass_began: datetime | None = None
    problems: tuple[Problem, ...] = ()
    unit: Unit = "page"


class StreamReader:
    """Reads one stream's log repeatedly; not thread-safe."""

    def __init__(self, bucket: Bucket, stream: str) -> None:
        self._bucket = bucket
        self._stream = stream
        self._log = PageLog(bucket, stream)
        self._hint = PublishedStore(bucket, stream)
        self._destination = (destination_conditions(bucket), log_type_conditions(bucket))
        self._source = stream_conditions(bucket)
        self._known: dict[int, LoggedPage] = {}
        # The generation of the delivery that is known of a page: one that has not changed is not read again.
        self._generations: dict[int, int | None] = {}
        self._counts: dict[int, int] = {}
        self._heads: dict[int, PageHead | None] = {}

    def read(self, now: datetime) -> StreamLog | None:
        """Return the recent part of the log, or None if the stream has no log and no error."""
        problems: list[Problem] = []
        hint = readable(self._hint.read, problems)
        published = hint[0].published if hint else 0
        # A listing has a page's delivery before the page.
        start = delivery_name(page_name(self._stream, self._first_to_look_at(published)))
        self._look(list(self._bucket.listed(pages_folder(self._stream), start)), now - HORIZON)
        kept = [readable(partial(one.read, self._stream), problems) for one in self._destination]
        source = readable(lambda: self._source.read(self._stream), problems)
        if not self._known and not source and not problems:
            return None
        newest = self._known[max(self._known)] if self._known else None
        pages = tuple(page for page in self._known.values() if page.landed > now - HORIZON)
        ends = [*pages[:1], *([newest] if newest else [])]
        heads = [self._head(page.sequence) for page in ends]
        problems += [page.problem for page in pages if page.problem]
        return StreamLog(
            stream=self._stream,
            pages=pages,
            newest=newest,
            first_date=heads[0].first_date if heads and heads[0] else None,
            last_date=heads[-1].last_date if heads and heads[-1] else None,
            condition=next(filter(None, kept), None),
            source=source,
            pass_began=hint[0].pass_began if hint else None,
            problems=tuple(problems),
        )

    def _first_to_look_at(self, published: int) -> int:
        open_pages = [page.sequence for page in self._known.values() if not page.done]
        unknown = max(self._known, default=0) + 1
        return max(min(open_pages, default=unknown), published - MAX_PAGES + 1, 1)

    def _look(self, listed: Sequence[Listed], since: datetime) -> None:
        """Update from a listing: the pages since a time, and always the newest page."""
        objects = {match.groups(): one for one in listed if (match := _OBJECT.fullmatch(one.name))}
        pages = {int(number): one for (number, suffix), one in objects.items() if not suffix}
        begun = {int(number): one.generation for (number, suffix), one in objects.items() if suffix}
        wanted = [number for number, one in pages.items() if one.created > since or number == max(pages)]
        changed = [number for number in wanted if number in begun and self._has_changed(number, begun[number])]
        untouched = [number for number in wanted if number not in begun][:_MAX_COUNTED]
        with ThreadPoolExecutor(_READERS) as pool:
            seen = dict(pool.map(self._delivery, changed))
            seen |= pool.map(self._uncounted, untouched)
        for number in wanted:
            known = self._known.get(number)
            delivery, problem = seen.get(number, (known.delivery, known.problem) if known else (None, None))
            uri = self._bucket.uri(pages[number].name)
            self._known[number] = LoggedPage(number, uri, pages[number].created, delivery, problem)
        # What could not be read is read again.
        self._generations |= {number: begun[number] for number in changed if seen[number][1] is None}
        self._known = dict(sorted(self._known.items())[-MAX_PAGES:])

    def _has_changed(self, number: int, generation: int | None) -> bool:
        return generation is None or generation != self._generations.get(number)

    def _delivery(self, number: int) -> tuple[int, _Seen]:
        problems: list[Problem] = []
        delivery = readable(lambda: find_delivery(self._bucket, page_name(self._stream, number)), problems)
        return number, (delivery, problems[0] if problems else None)

    def _uncounted(self, number: int) -> tuple[int, _Seen]:
        """Return the delivery of a page that has none yet; a page without items counts as finished."""
        if number not in self._counts:
            page = self._page(number)
            if page is None:
                return number, (None, None)
            self._counts[number] = len(page.items)
        return number, (Delivery(items=self._counts[number]), None)

    def _head(self, number: int) -> PageHead | None:
        if number not in self._heads:
            page = self._page(number)
            # The first and the newest page are needed, and these change.
            self._heads = {**dict(list(self._heads.items())[-1:]), number: page.head if page else None}
        return self._heads[number]

    def _page(self, number: int) -> Page | None:
        try:
            return self._log.read(number)
        except NotAPage:
            # Its delivery will make a dead letter; the rest of the log can be reported without it.
            return None
