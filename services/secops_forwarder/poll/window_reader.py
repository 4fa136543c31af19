"""Read issues by windows of last_seen, and log those that differ from their last version.

A window is read whole, logged, and only then counts as read; so a poll that dies, or that another one overtakes, reads
it again. What is new is decided by `known_versions.py`, not by the position. A window is halved if it has more hits
than some pages, or if its pages have left some out: hits move while pages are read, and the order of equal dates is not
known.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count
from typing import Literal, Protocol

from services.secops_forwarder.poll.item_keys import new_item
from services.secops_forwarder.poll.known_versions import KnownVersions, identity_of
from services.secops_forwarder.poll.listings import OVERLAP
from services.secops_forwarder.poll.page_buffer import BufferedPage, NewItem, PageBuffer
from services.secops_forwarder.poll.page_log_writer import PageLogWriter
from services.secops_forwarder.poll.source_clock import by_the_source
from services.secops_forwarder.poll.windows import Window
from shared.contracts.outcomes import TransientError
from shared.streams.definition import Stream
from shared.streams.page_log import PageHead
from shared.virustotal.issue_reader import IssuePage, IssueSearch

# Half of what a search counts, at 1,000 hits a page: hits may be added while pages are read.
_MAX_PAGES = 5

_Outcome = Literal["read", "overtaken", "late", "too many"]

log = logging.getLogger(__name__)


class IssueSource(Protocol):
    """Where issues come from."""

    def projects(self) -> tuple[str, ...]:
        """Return the ids of the projects."""

    def search(self, search: IssueSearch) -> IssuePage:
        """Return one page."""


class WindowReader:
    """Reads windows of one stream in one poll; `since` is where the stream's first pass began."""

    def __init__(
        self,
        stream: Stream,
        writer: PageLogWriter,
        known: KnownVersions,
        *,
        source: IssueSource,
        buffer: Callable[[], PageBuffer],
        now: Callable[[], datetime],
        since: datetime,
    ) -> None:
        self._stream = stream
        self._writer = writer
        self._known = known
        self._source = source
        self._new_buffer = buffer
        self._buffer = buffer()
        self._now = now
        self.since = since
        self._began = now()
        self.asked = 0

    def read(
        self, project: str, parts: Sequence[Window], late: Callable[[], bool], record: Callable[[datetime], None]
    ) -> list[Window]:
        """Read ascending windows; return what is left if the time is up. `record` gets up to when all is read."""
        left = [*reversed(parts)]
        while left and not late():
            part = left[-1]
            halves = part.halves(self._now())
            outcome = self._read(project, part, late, divisible=halves is not None)
            if outcome == "too many" and halves:
                left[-1:] = reversed(halves)
            elif outcome == "read":
                # What is dated later may not be shown yet.
                settled = self._began - OVERLAP
                record(min(part.end, settled) if part.end else settled)
                left.pop()
        return left[::-1]

    def _read(self, project: str, part: Window, late: Callable[[], bool], *, divisible: bool) -> _Outcome:
        page, found = IssuePage((), None, None), set[str]()
        for number in count(1):
            page = self._ask(project, part, page)
            if divisible and (page.total or 0) > _MAX_PAGES * self._stream.page_size:
                return "too many"
            items = [new_item(self._stream, item, None) for item in page.items]
            found |= {identity_of(item.key) for item in items}
            if not self._take(items):
                return "overtaken"
            # What cannot be divided may have more pages than a poll has time for.
            if page.token is None or (number > _MAX_PAGES and late()):
                break
        if not self._flush():
            return "overtaken"
        if page.token is not None and not page.capped:
            return "late"
        # A page that was the only one has left nothing out: then the source counts otherwise.
        return self._judge(project, part, page, len(found), divisible=divisible and number > 1)

    def _ask(self, project: str, part: Window, before: IssuePage) -> IssuePage:
        """Return the page behind another one, or the first."""
        began = self._now()
        self.asked += 1
        text = f"{self._stream.filter} {part.terms(self._stream.date_term)}".strip()
        page = self._source.search(IssueSearch(project, text, self._stream.page_size, before.token))
        if before.token is None:
            self._began = by_the_source(began, page.answered)
        elif page.items and page.items == before.items:
            raise TransientError(f"{self._stream.name}: a token leads back to the same page of project {project}")
        return page

    def _judge(self, project: str, part: Window, page: IssuePage, found: int, *, divisible: bool) -> _Outcome:
        """Return whether a part that was read to its end has all its hits; say so if it cannot be divided."""
        if found >= (page.total or 0) and not page.capped:
            return "read"
        if divisible:
            return "too many"
        log.error(
            "secops.window_too_full: %s: read %d of %s issues of project %s last seen in the window from %s; "
            "the sweep tries again",
            *(self._stream.name, found, f"{page.total} or more" if page.capped else page.total, project, part.begin),
        )
        return "read"

    def _take(self, items: Sequence[NewItem]) -> bool:
        """Buffer the items that are new; return False if another poll wrote first."""
        return all(map(self._write, self._buffer.add(item for item in items if self._known.is_new(item))))

    def _flush(self) -> bool:
        return not len(self._buffer) or self._write(self._buffer.flush(None))

    def _write(self, buffered: BufferedPage) -> bool:
        head = self._head(buffered)
        if self._writer.append(head, (item.text for item in buffered.items)):
            self._known.appended(head)
            return True
        # What was read before the other poll's page may be older than what that page has.
        self._buffer = self._new_buffer()
        self._known.catch_up(self._writer.published, lambda: False)
        return False

    def _head(self, buffered: BufferedPage) -> PageHead:
        last, now = self._writer.head, self._now()
        dates = [item.date for item in buffered.items if item.date]
        seen: dict[str, datetime] = {}
        for item in buffered.items:
            # The order is that of the last occurrences: an issue may return to an earlier version.
            seen.pop(item.key, None)
            seen[item.key] = item.date or now
        return PageHead(
            stream=self._stream.name,
            sequence=self._writer.published + 1,
            signature=self._stream.signature(),
            filter=self._stream.filter,
            cursor=None,
            began=self._began,
            since=self.since,
            watermark=max([*dates, last.watermark if last else self.since]),
            first_date=min(dates, default=None),
            last_date=max(dates, default=None),
            landed_at=now,
            seen=seen,
        )
