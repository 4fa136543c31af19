"""Tell again of pages whose message was lost: published, and an hour later nobody has delivered them.

Pub/Sub loses none by itself. But a subscription can be purged or deleted, and keeps a message for a week only; the log
is there for as long as the bucket keeps it. As for feed minutes the spacing grows, so that a long outage of SecOps does
not multiply messages.
"""

import logging
from datetime import datetime, timedelta

from shared.messages import IOC_PAGES
from shared.ports import Bucket, Outgoing, Publisher
from shared.secops.delivery import Delivery, delivery_name, read_delivery
from shared.secops.pages import NotAPage, Page, PageLog, Published, page_name

# A page is delivered within seconds; behind a death or a refusal Pub/Sub tries again within ten minutes.
PATIENCE = timedelta(hours=1)
_EVERY = timedelta(minutes=15)
# A log without its hint is looked through in parts.
_MOST_LOOKED_AT = 2000
_MOST_TOLD = 100

log = logging.getLogger(__name__)


class Overdue:
    """Looks through one stream's log behind its last settled page."""

    def __init__(self, bucket: Bucket, stream: str, publisher: Publisher) -> None:
        self._bucket = bucket
        self._stream = stream
        self._log = PageLog(bucket, stream)
        self._publisher = publisher

    def tell(self, hint: Published, now: datetime) -> Published:
        """Publish what is overdue and return the hint with how far all is settled: delivered, or given up in words."""
        if hint.swept_at and now - hint.swept_at < _EVERY:
            return hint
        settled, told = hint.settled, 0
        for sequence in range(hint.settled + 1, min(hint.published, hint.settled + _MOST_LOOKED_AT) + 1):
            page = self._undelivered(sequence)
            if page is None:
                settled += settled == sequence - 1
            elif _is_due(page.head.landed_at, hint.swept_at, now):
                self._tell(page)
                told += 1
            if told == _MOST_TOLD:
                # Those behind it are still due when this is looked at again.
                return hint.model_copy(update={"settled": settled})
        return hint.model_copy(update={"settled": settled, "swept_at": now})

    def _undelivered(self, sequence: int) -> Page | None:
        """Return a page that somebody has still to deliver."""
        delivery = self._delivery(sequence)
        if delivery and (delivery.finished or delivery.reason is not None):
            return None
        try:
            page = self._log.read(sequence)
        except NotAPage as error:
            log.error("secops.page_unreadable: %s", error)
            return None
        return page if page and page.items else None

    def _delivery(self, sequence: int) -> Delivery | None:
        name = delivery_name(page_name(self._stream, sequence))
        stored = self._bucket.read(name)
        return read_delivery(stored.data, self._bucket.uri(name)) if stored else None

    def _tell(self, page: Page) -> None:
        message = self._log.message(page.head, len(page.items))
        log.warning("secops.told_again: %s has not been delivered since %s", message.uri, page.head.landed_at)
        self._publisher.publish(IOC_PAGES, [Outgoing(message.body(), message.attributes())])


def _is_due(landed: datetime, before: datetime | None, now: datetime) -> bool:
    """Tell whether an hour has passed since a page landed, or two, four, eight ..., since this was asked last."""
    return _doublings(now - landed) > _doublings((before or landed) - landed)


def _doublings(age: timedelta) -> int:
    return max(0, age // PATIENCE).bit_length()
