"""Republish messages for undelivered pages: those not delivered an hour after they were published.

Pub/Sub itself loses no message, but a subscription can be purged or deleted, and keeps messages for only a week, while
the log exists as long as the bucket keeps it. As for feed minutes there is a backoff, so that a long outage of SecOps
does not multiply messages. One run is limited to a share of the poll's time and a number of reads; the next poll
continues.
"""

import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from shared.contracts.interfaces import Bucket, Publisher
from shared.streams.delivery_progress import find_delivery
from shared.streams.page_log import NotAPage, Page, PageLog, Published, page_name, pages_folder

# A page is delivered within seconds; after a crash or a refusal Pub/Sub retries within ten minutes.
REPUBLISH_AFTER = timedelta(hours=1)
REPUBLISH_EVERY = timedelta(minutes=15)
# Limits per poll: objects read, and pages republished.
_MAX_READ = 500
_MAX_REPUBLISHED = 100
_PAGE = re.compile(r".*/(\d{10})\.json", re.ASCII)

log = logging.getLogger(__name__)


class Republisher:
    """Examines one stream's log after its last settled page, for one poll."""

    def __init__(self, bucket: Bucket, stream: str, publisher: Publisher) -> None:
        self._bucket = bucket
        self._stream = stream
        self._log = PageLog(bucket, stream)
        self._publisher = publisher
        self._read = 0
        self._republished = 0

    def republish(self, hint: Published, now: datetime, late: Callable[[], bool]) -> Published:
        """Republish overdue pages; return the hint with the page up to which all are delivered or given up."""
        if hint.looking_since is None and hint.swept_at and now - hint.swept_at < REPUBLISH_EVERY:
            return hint
        began = hint.looking_since or now
        settled = self._settle(hint, late)
        looked = max(hint.looked, settled)
        for sequence, landed in self._landed(looked, hint.published):
            if late() or self._read >= _MAX_READ or self._republished >= _MAX_REPUBLISHED:
                return hint.model_copy(update={"settled": settled, "looking_since": began, "looked": looked})
            if is_due(landed, hint.swept_at, began) and (page := self._undelivered(sequence)):
                self._publish_again(page)
            looked = sequence
        return hint.model_copy(update={"settled": settled, "swept_at": began, "looking_since": None, "looked": 0})

    def _settle(self, hint: Published, late: Callable[[], bool]) -> int:
        settled = hint.settled
        while settled < hint.published and self._read < _MAX_READ and not late():
            if self._undelivered(settled + 1):
                break
            settled += 1
        return settled

    def _landed(self, after: int, last: int) -> Iterator[tuple[int, datetime]]:
        """Yield the pages after a page, up to the last, with the time at which each landed."""
        for listed in self._bucket.listed(pages_folder(self._stream), page_name(self._stream, after + 1)):
            if found := _PAGE.fullmatch(listed.name):
                if int(found[1]) > last:
                    return
                yield int(found[1]), listed.created

    def _undelivered(self, sequence: int) -> Page | None:
        """Return a page that is not delivered yet."""
        self._read += 1
        delivery = find_delivery(self._bucket, page_name(self._stream, sequence))
        if delivery and (delivery.finished or delivery.reason is not None):
            return None
        self._read += 1
        try:
            page = self._log.read(sequence)
        except NotAPage as error:
            log.error("secops.page_unreadable: %s", error)
            return None
        return page if page and page.items else None

    def _publish_again(self, page: Page) -> None:
        self._republished += 1
        message = self._log.message(page.head, len(page.items))
        log.warning("secops.republished: %s has not been delivered since %s", message.uri, page.head.landed_at)
        self._publisher.publish(message)


def is_due(landed: datetime, before: datetime | None, now: datetime) -> bool:
    """Return whether a backoff step (1, 2, 4, 8 ... hours after landing) has passed since the last run."""
    return _doublings(now - landed) > _doublings((before or landed) - landed)


def _doublings(age: timedelta) -> int:
    return max(0, age // REPUBLISH_AFTER).bit_length()
