"""Once a day, query the time before the regular passes again, and log missing items.

A pass re-reads ten minutes. The source may show an item later than that, and an offset-based cursor skips an item if
another is modified during the pass. Known keys are read from the log's pages, so nothing is logged twice. A second look
uses the poll's remaining time; the next poll continues an unfinished one.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from services.secops_forwarder.poll.collector import Source
from services.secops_forwarder.poll.item_keys import new_item
from services.secops_forwarder.poll.known_keys import logged, remembered
from services.secops_forwarder.poll.listings import OVERLAP
from services.secops_forwarder.poll.page_buffer import BufferedPage, NewItem, PageBuffer
from services.secops_forwarder.poll.page_log_writer import PageLogWriter
from services.secops_forwarder.poll.relations import Relations
from shared.streams.definition import Stream
from shared.streams.page_log import Look, PageHead, PageLog
from shared.virustotal.errors import PackageMissing, RequestRefused
from shared.virustotal.list_reader import ListQuery
from shared.virustotal.listing import Listing, read_item

_EVERY = timedelta(days=1)
# The maximum number of log pages to read; each may have 4 MB.
_MAX_PAGES = 100

log = logging.getLogger(__name__)


def next_look(look: Look | None, stream: Stream, first: datetime | None, now: datetime) -> Look:
    """Return the next look: in a day, and never before the first pass or a change of the filter."""
    if look and look.signature == stream.signature():
        return look
    return Look(signature=stream.signature(), earliest=now if look or first is None else first, at=now)


class SecondLook:
    """The second look of one poll."""

    def __init__(
        self,
        stream: Stream,
        writer: PageLogWriter,
        pages: PageLog,
        *,
        source: Source,
        buffer: PageBuffer,
        relations: Relations,
        now: Callable[[], datetime],
        page_size: int,
    ) -> None:
        self._stream = stream
        self._writer = writer
        self._pages = pages
        self._source = source
        self._buffer = buffer
        self._relations = relations
        self._now = now
        self._page_size = page_size
        self._known: set[str] = set()
        self.asked = 0

    def look(self, look: Look, back: timedelta, since: datetime, late: Callable[[], bool]) -> Look:
        """If due, look from `back` ago up to the start of the regular passes; return the new state."""
        now = self._now()
        if not back or (look.reached is None and now - look.at < _EVERY):
            return look
        begin = max(look.reached or now - back, look.earliest)
        # Every poll reads a stream of few items that far back.
        reached = self._ask_up_to(since, self._read_log(begin, late), late) if begin < since else None
        if reached is None:
            return look.model_copy(update={"at": now, "reached": None})
        return look.model_copy(update={"reached": reached})

    def _read_log(self, begin: datetime, late: Callable[[], bool]) -> datetime:
        """Read the keys landed since a time; return that time, or a later one if the log is too long."""
        for sequence in range(self._writer.published, 0, -1):
            page = self._pages.read(sequence)
            if page is None:
                return begin
            # Items are older than the landing of their page, but the source's clock may be ahead.
            newest = page.head.landed_at + OVERLAP
            if newest < begin:
                return begin
            if sequence <= self._writer.published - _MAX_PAGES or late():
                log.warning("secops.second_look_shortened: %s looks from %s", self._stream.name, newest)
                return newest
            items = (read_item(text, self._stream.fields) for text in page.items)
            self._known.update(new_item(self._stream, item, None).key for item in items)
        return begin

    def _ask_up_to(self, end: datetime, begin: datetime, late: Callable[[], bool]) -> datetime | None:
        """Log missing items; return where the next look continues, or None if this one is complete."""
        reached, cursor = begin, None
        while not late():
            page = self._ask(begin, cursor)
            if page is None:
                break
            items = [new_item(self._stream, item, None) for item in page.items]
            if not all(self._write(buffered, end) for buffered in self._buffer.add(self._unknown(items))):
                return begin
            reached = max([reached, *(item.date for item in items if item.date)])
            cursor = page.cursor
            if cursor is None or reached >= end:
                return None if self._write(self._buffer.flush(None), end) else begin
        return reached if self._write(self._buffer.flush(None), end) else begin

    def _ask(self, begin: datetime, cursor: str | None) -> Listing | None:
        self.asked += 1
        stream = self._stream
        try:
            return self._source.page(
                ListQuery(stream.path, stream.filter_from(begin), stream.order, self._page_size, cursor, stream.fields)
            )
        except (RequestRefused, PackageMissing) as error:
            if cursor is None:
                raise
            log.warning("secops.cursor_refused: %s: %s", stream.name, error)
            return None

    def _unknown(self, items: list[NewItem]) -> Iterator[NewItem]:
        for item in items:
            if item.key not in self._known:
                self._known.add(item.key)
                yield self._relations.add_to(self._stream, item)

    def _write(self, buffered: BufferedPage, since: datetime) -> bool:
        """Append the items found; return False if another poll wrote first."""
        if not buffered.items:
            return True
        log.warning("secops.found_late: %s: %d notifications", self._stream.name, len(buffered.items))
        return self._writer.append(self._head(buffered, since), (item.text for item in buffered.items))

    def _head(self, buffered: BufferedPage, since: datetime) -> PageHead:
        """Return a page head that keeps the position of the regular passes."""
        last, now = self._writer.head, self._now()
        dates = [item.date for item in buffered.items if item.date]
        since = last.since if last else since
        return PageHead(
            stream=self._stream.name,
            sequence=self._writer.published + 1,
            signature=self._stream.signature(),
            filter=self._stream.filter_from(since),
            cursor=None,
            began=last.began if last else now,
            since=since,
            watermark=max([*dates, last.watermark if last else since]),
            first_date=min(dates, default=None),
            last_date=max(dates, default=None),
            landed_at=now,
            seen=remembered(logged(last, buffered, now), since),
        )
