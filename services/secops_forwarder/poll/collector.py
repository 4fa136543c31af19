"""Collect a stream's list, page by page, and append new items to its log.

Every decision depends on the last page of the log, even if another poll wrote it (`passes.py`).

A completed pass misses only items that are shown late, whether it found new items or not. A page of the log names
everything in the log that the source can still give: all that is dated from `since` on, and all of the source page that
its cursor leads to (`known_keys.py`).
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from services.secops_forwarder.poll.item_keys import new_item
from services.secops_forwarder.poll.known_keys import SourcePage, logged, remembered
from services.secops_forwarder.poll.listings import LISTINGS
from services.secops_forwarder.poll.page_buffer import BufferedPage, NewItem, PageBuffer
from services.secops_forwarder.poll.page_log_writer import PageLogWriter
from services.secops_forwarder.poll.passes import ListPass, Passes
from services.secops_forwarder.poll.relations import Relations
from services.secops_forwarder.poll.source_clock import by_the_source
from shared.contracts.outcomes import MeshError, TransientError
from shared.streams.definition import Stream
from shared.streams.page_log import PageHead
from shared.virustotal.errors import PackageMissing, RequestRefused
from shared.virustotal.list_reader import ListQuery
from shared.virustotal.listing import Listing

_MAX_REFUSED = 3

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where pages come from."""

    def page(self, question: ListQuery) -> Listing:
        """Return one page."""


class Collector:
    """Collects one stream in one poll."""

    def __init__(
        self,
        stream: Stream,
        writer: PageLogWriter,
        passes: Passes,
        *,
        source: Source,
        buffer: Callable[[], PageBuffer],
        relations: Relations,
        now: Callable[[], datetime],
        page_size: int,
    ) -> None:
        self._stream = stream
        self._listing = LISTINGS[stream.listing]
        self._writer = writer
        self._passes = passes
        self._source = source
        self._relations = relations
        self._new_buffer = buffer
        self._buffer = buffer()
        self._source_page = SourcePage(None, frozenset())
        self._now = now
        self._page_size = page_size
        self._refused = 0
        self.asked = 0

    def collect(self, late: Callable[[], bool]) -> bool:
        """Collect until nothing new is left; return False if the deadline came first."""
        list_pass = self._passes.following()
        while not late():
            following = self._step(list_pass)
            if following is None:
                return True
            list_pass = following
        self._leave_open(list_pass)
        if not self._listing.resumable:
            log.warning("secops.pass_too_long: %s is read from its front again with the next poll", self._stream.name)
        return False

    def _step(self, list_pass: ListPass) -> ListPass | None:
        """Request one page and return the next query; None if nothing new is left."""
        try:
            page = self._ask(list_pass)
        except (RequestRefused, PackageMissing) as error:
            return self._after_refusal(list_pass, error)
        except MeshError:
            # Pages before the error need not be requested again.
            self._leave_open(list_pass)
            raise
        if list_pass.cursor is None:
            list_pass = replace(list_pass, began=by_the_source(list_pass.began, page.answered))
        items = [new_item(self._stream, item, list_pass.cursor) for item in page.items]
        belonging, complete = self._listing.belonging(items, list_pass.since)
        cursor = None if complete else page.cursor
        try:
            taken = self._take(list_pass, belonging, ended=cursor is None)
        except MeshError:
            self._leave_open(list_pass)
            raise
        if not taken:
            self._buffer = self._new_buffer()
            return self._passes.following()
        if cursor is not None:
            return replace(list_pass, cursor=cursor)
        self._passes.end(list_pass)
        return self._passes.new() if list_pass.resumed else None

    def _ask(self, list_pass: ListPass) -> Listing:
        self.asked += 1
        stream = self._stream
        return self._source.page(
            ListQuery(stream.path, list_pass.filter, stream.order, self._page_size, list_pass.cursor, stream.fields)
        )

    def _after_refusal(self, list_pass: ListPass, error: MeshError) -> ListPass:
        """Return a new pass from `since` after a cursor was refused; raise other refusals."""
        if list_pass.cursor is None:
            raise error
        self._refused += 1
        # Starting again costs all pages before the refused one.
        if self._refused > (_MAX_REFUSED if self._listing.resumable else 1):
            raise TransientError(f"{self._stream.name}: cursors are refused again and again: {error}")
        log.warning("secops.cursor_refused: %s: %s", self._stream.name, error)
        if len(self._buffer):
            self._write(list_pass, self._buffer.flush(None))
        return self._passes.new()

    def _take(self, list_pass: ListPass, items: Sequence[NewItem], *, ended: bool) -> bool:
        """Add the new items of a page; return False if another poll wrote first."""
        self._source_page = SourcePage(list_pass.cursor, frozenset(item.key for item in items))
        written = all(self._write(list_pass, buffered) for buffered in self._buffer.add(self._unseen(items)))
        if written and ended and len(self._buffer):
            return self._write(list_pass, self._buffer.flush(None), ended=True)
        return written

    def _unseen(self, items: Iterable[NewItem]) -> Iterator[NewItem]:
        for item in items:
            known = self._writer.head.seen if self._writer.head else {}
            if item.key not in known and item.key not in self._buffer.keys:
                yield self._relations.add_to(self._stream, item)

    def _leave_open(self, list_pass: ListPass) -> None:
        """Write buffered items, or a page without items, so that the next poll can continue this pass."""
        left = self._writer.head.cursor if self._writer.head else None
        cursor = list_pass.cursor if self._listing.resumable else None
        if len(self._buffer) or (cursor is not None and cursor != left):
            self._write(list_pass, self._buffer.flush(cursor))

    def _write(self, list_pass: ListPass, buffered: BufferedPage, *, ended: bool = False) -> bool:
        return self._writer.append(
            self._next_head(list_pass, buffered, ended=ended), (item.text for item in buffered.items)
        )

    def _next_head(self, list_pass: ListPass, buffered: BufferedPage, *, ended: bool) -> PageHead:
        last, now = self._writer.head, self._now()
        dates = [item.date for item in buffered.items if item.date]
        begin = self._passes.since_of(list_pass.began)
        watermark = max([*dates, last.watermark if last else begin])
        known = logged(last, buffered, now)
        open_from = self._listing.open_from(begin, list_pass.began, max(dates, default=begin))
        since = self._passes.since_after(list_pass, known) if ended else open_from
        cursor = buffered.cursor if self._listing.resumable else None
        return PageHead(
            stream=self._stream.name,
            sequence=self._writer.published + 1,
            signature=self._stream.signature(),
            filter=list_pass.filter,
            cursor=cursor,
            began=list_pass.began,
            since=since,
            watermark=watermark,
            first_date=min(dates, default=None),
            last_date=max(dates, default=None),
            landed_at=now,
            seen=remembered(known, since, self._source_page.keys_behind(cursor)),
        )
