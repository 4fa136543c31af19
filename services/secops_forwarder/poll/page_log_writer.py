"""Appends to a stream's log and publishes its pages, for one poll."""

import logging
from collections.abc import Iterable

from shared.contracts.interfaces import Bucket, Publisher
from shared.streams.definition import Stream
from shared.streams.delivery_progress import deliver_nothing
from shared.streams.page_log import PageHead, PageLog, page_name

log = logging.getLogger(__name__)


class PageLogWriter:
    """Everything up to `published` is published, and `head` is the last page's.

    The pages of a stream that does not go to SecOps have nothing to deliver, and no message.
    """

    def __init__(self, stream: Stream, bucket: Bucket, publisher: Publisher, published: int) -> None:
        self._stream = stream
        self._bucket = bucket
        self._log = PageLog(bucket, stream.name)
        self._publisher = publisher
        self.published = published
        last = self._log.read(published) if published else None
        self.head = last.head if last else None
        self.pages = 0
        self.notifications = 0

    def catch_up(self) -> None:
        """Publish existing pages that a crashed or concurrent poll has written."""
        while page := self._log.read(self.published + 1):
            self._publish(page.head, len(page.items))

    def append(self, head: PageHead, items: Iterable[bytes]) -> bool:
        """Write and publish the next page; if another poll wrote it, catch up and return False."""
        texts = list(items)
        if not self._log.append(head, texts):
            log.info("secops.overtaken: another poll has written page %d of %s", head.sequence, head.stream)
            self.catch_up()
            return False
        self._publish(head, len(texts))
        self.pages += 1
        self.notifications += len(texts)
        return True

    def _publish(self, head: PageHead, items: int) -> None:
        if self._stream.to_secops:
            self._publisher.publish(self._log.message(head, items))
        else:
            deliver_nothing(self._bucket, page_name(head.stream, head.sequence))
        self.head, self.published = head, head.sequence
