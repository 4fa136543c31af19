"""Walk a stream, page by page, ascending by date, and append what is new to its log.

A walk is one question asked until its last page. A poll first goes on with the walk that the log leaves open, and then
begins one at the last page's `since`, which re-reads an overlap: whatever the source shows late, with an older date, is
found there. Every decision is taken from the last page of the log; where another poll wrote it, this one goes on there.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shared.json_bytes import read_json, write_json
from shared.outcomes import MeshError
from shared.secops.filling import Filling, Fresh, Full
from shared.secops.pages import PageHead
from shared.secops.tail import Tail
from shared.streams import Stream
from shared.virustotal.errors import PackageMissing, RequestRefused, SourceTrouble
from shared.virustotal.listing import Listing, SourceItem
from shared.virustotal.pages import Question

# An item that the source shows later than this after its own date, behind everything else, is not found.
OVERLAP = timedelta(minutes=10)
# The source deletes notifications after a week (gtidocs.virustotal.com/docs/ioc-stream).
_KEPT = timedelta(days=7)
_MOST_REFUSED = 3

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where pages come from."""

    def page(self, question: Question) -> Listing:
        """Return one page."""


@dataclass(frozen=True)
class Walk:
    """A question in the middle of being answered; resumed means that an earlier poll began to ask it."""

    filter: str
    cursor: str | None
    began: datetime
    resumed: bool


class Walker:
    """Walks one stream in one poll."""

    def __init__(
        self,
        stream: Stream,
        tail: Tail,
        *,
        source: Source,
        filling: Callable[[], Filling],
        now: Callable[[], datetime],
        page_size: int,
    ) -> None:
        self._stream = stream
        self._tail = tail
        self._source = source
        self._new_filling = filling
        self._filling = filling()
        self._now = now
        self._page_size = page_size
        self._refused = 0
        self.asked = 0

    def walk(self, late: Callable[[], bool]) -> bool:
        """Walk until nothing new is left; return False when it became too late before."""
        walk = self._position()
        while not late():
            following = self._step(walk)
            if following is None:
                return True
            walk = following
        self._leave_open(walk)
        return False

    def _position(self) -> Walk:
        """Return the walk that the last page leaves open, or a new one where there is none for this filter."""
        last = self._tail.head
        if last is None or last.cursor is None:
            return self._new_walk()
        if last.signature != self._stream.signature():
            log.warning("secops.filter_changed: %s begins a walk at %s", last.stream, last.since)
            return self._new_walk()
        return Walk(last.filter, last.cursor, last.began, resumed=True)

    def _new_walk(self) -> Walk:
        began = self._now()
        since = self._since(began)
        if began - since > _KEPT:
            log.error("secops.too_late: %s asks from %s, and the source keeps 7 days", self._stream.name, since)
        return Walk(self._stream.filter_from(since), None, began, resumed=False)

    def _since(self, began: datetime) -> datetime:
        last = self._tail.head
        return last.since if last else began - self._stream.look_back

    def _step(self, walk: Walk) -> Walk | None:
        """Ask for one page and return what to ask next; None when nothing new is left."""
        try:
            page = self._ask(walk)
        except (RequestRefused, PackageMissing) as error:
            return self._after_refusal(walk, error)
        except MeshError:
            # What came before the trouble need not be asked for again.
            self._leave_open(walk)
            raise
        if not self._take(walk, page):
            self._filling = self._new_filling()
            return self._position()
        if page.cursor is not None:
            return replace(walk, cursor=page.cursor)
        return self._new_walk() if walk.resumed else None

    def _ask(self, walk: Walk) -> Listing:
        self.asked += 1
        stream = self._stream
        return self._source.page(
            Question(stream.path, walk.filter, stream.order, self._page_size, walk.cursor, stream.fields)
        )

    def _after_refusal(self, walk: Walk, error: MeshError) -> Walk:
        """Return a walk from `since` after a cursor was refused; what else was refused stays refused."""
        if walk.cursor is None:
            raise error
        self._refused += 1
        if self._refused > _MOST_REFUSED:
            raise SourceTrouble(f"{self._stream.name}: cursors are refused again and again: {error}")
        log.warning("secops.cursor_refused: %s: %s", self._stream.name, error)
        if len(self._filling):
            self._write(walk, self._filling.rest(None))
        return self._new_walk()

    def _take(self, walk: Walk, page: Listing) -> bool:
        """Take in what is new on a page; return False when another poll was faster."""
        written = all(self._write(walk, full) for full in self._filling.add(self._unseen(page.items, walk.cursor)))
        if written and page.cursor is None and len(self._filling):
            return self._write(walk, self._filling.rest(None))
        return written

    def _unseen(self, items: Iterable[SourceItem], cursor: str | None) -> Iterator[Fresh]:
        for item in items:
            key = self._stream.key_of(item.known) or _fingerprint(item.text)
            known = self._tail.head.seen if self._tail.head else {}
            if key not in known and key not in self._filling.keys:
                yield Fresh(key, self._stream.date_of(item.known), item.text, cursor)

    def _leave_open(self, walk: Walk) -> None:
        """Write what is held, or a page without items, so that the next poll need not begin this walk again."""
        left = self._tail.head.cursor if self._tail.head else None
        if len(self._filling) or (walk.cursor is not None and walk.cursor != left):
            self._write(walk, self._filling.rest(walk.cursor))

    def _write(self, walk: Walk, full: Full) -> bool:
        return self._tail.append(self._next_head(walk, full), (item.text for item in full.items))

    def _next_head(self, walk: Walk, full: Full) -> PageHead:
        last = self._tail.head
        dates = [item.date for item in full.items if item.date]
        begin = self._since(walk.began)
        watermark = max([*dates, last.watermark if last else begin])
        # Behind a walk's back only items can appear that are dated after its begin, less what the source is late.
        since = max(begin, min(watermark, walk.began) - OVERLAP)
        return PageHead(
            stream=self._stream.name,
            sequence=self._tail.published + 1,
            signature=self._stream.signature(),
            filter=walk.filter,
            cursor=full.cursor,
            began=walk.began,
            since=since,
            watermark=watermark,
            first_date=min(dates, default=None),
            last_date=max(dates, default=None),
            landed_at=self._now(),
            seen=_seen(last, full, since, watermark),
        )


def _seen(last: PageHead | None, full: Full, since: datetime, watermark: datetime) -> dict[str, datetime]:
    """Return the keys that the source can give again: from `since` on, or on the source page that is taken in part."""
    # A filter knows whole seconds only, so the next walk begins up to a second before `since`.
    begin = since.replace(microsecond=0)
    same_source_page = last is not None and full.cursor is not None and last.cursor == full.cursor
    before = last.seen if last else {}
    kept = {key: date for key, date in before.items() if same_source_page or date >= begin}
    for item in full.items:
        date = item.date or watermark
        if date >= begin or (full.cursor is not None and item.cursor == full.cursor):
            kept[item.key] = date
    return kept


def _fingerprint(text: bytes) -> str:
    return f"sha256 {hashlib.sha256(write_json(read_json(text), sort=True)).hexdigest()}"
