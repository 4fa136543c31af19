"""Where a pass through a list begins, and what is known once it is completed.

A pass is one query, read to its last page. A poll first continues the pass that the log leaves open, and then begins a
new one at the last page's `since`, which re-reads an overlap to find items that the source shows late, with an older
date. The overlap is ten minutes, or longer as long as its known items fit on one page of the source, so that a stream
of few items is read far back with one request.

While a pass is open, `since` is where a new one would have to begin (`listings.py`: for an ascending list its
position); only a completed pass says that older items are known.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.secops_forwarder.poll.listings import LISTINGS, OVERLAP
from services.secops_forwarder.poll.page_log_writer import PageLogWriter
from shared.streams.definition import Stream
from shared.streams.page_log import Published

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ListPass:
    """A pass in progress over everything since a time; resumed means that an earlier poll began it."""

    filter: str
    cursor: str | None
    since: datetime
    began: datetime
    resumed: bool


class Passes:
    """The passes of one stream in one poll; `since`, `ended` and `pass_began` are those of the stream's hint."""

    def __init__(
        self, stream: Stream, writer: PageLogWriter, hint: Published, *, now: Callable[[], datetime], page_size: int
    ) -> None:
        self._stream = stream
        self._listing = LISTINGS[stream.listing]
        self._writer = writer
        self._now = now
        self._page_size = page_size
        self.since = hint.since
        self.ended = hint.ended
        self.pass_began = hint.pass_began
        if hint.look and hint.look.signature != stream.signature() and self.since and self.pass_began:
            # What the old filter left out is not late.
            self.since = max(self.since, self.pass_began - OVERLAP)

    def begin(self) -> bool:
        """Set the start of the first pass; return whether this is the first pass."""
        if self.since or self._writer.head:
            return False
        self.since = self.since_of(self._now())
        return True

    def following(self) -> ListPass:
        """Return the pass that the last page left open, or a new one if there is none for this filter."""
        last = self._writer.head
        if last is None or last.cursor is None or last.sequence == self.ended or not self._listing.resumable:
            return self.new()
        if last.signature != self._stream.signature():
            log.warning("secops.filter_changed: %s begins a pass at %s", last.stream, last.since)
            return self.new()
        return ListPass(last.filter, last.cursor, last.since, last.began, resumed=True)

    def new(self) -> ListPass:
        """Return a pass that begins now."""
        began = self._now()
        since = self.since_of(began)
        looked = self.pass_began - OVERLAP if self.pass_began else since
        kept = self._stream.kept
        if kept and began - looked > kept:
            log.error("secops.too_late: %s was read up to %s, and the source keeps %s", self._stream.name, looked, kept)
        return ListPass(self._listing.filter_from(self._stream, since), None, since, began, resumed=False)

    def end(self, list_pass: ListPass) -> None:
        """Record that the log is complete up to the start of a pass, except for items shown late."""
        head = self._writer.head
        self.since = self.since_after(list_pass, head.seen if head else {})
        self.ended = self._writer.published
        self.pass_began = list_pass.began

    def since_of(self, began: datetime) -> datetime:
        """Return where a pass that begins at a time has to read from."""
        last = self._writer.head
        known = [self.since, last.since if last else None]
        return max(filter(None, known), default=began - self._stream.look_back)

    def since_after(self, list_pass: ListPass, known: Mapping[str, datetime]) -> datetime:
        """Return where the next pass begins: before the overlap only if one request reads everything since."""
        begin, dates = self.since_of(list_pass.began), sorted(known.values(), reverse=True)
        # A full page has a cursor, which costs another request.
        room = self._page_size - 1
        if len(dates) <= room:
            return begin
        behind_the_rest = dates[room].replace(microsecond=0) + timedelta(seconds=1)
        return max(begin, min(list_pass.began - OVERLAP, behind_the_rest))
