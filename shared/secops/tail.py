"""The end of a stream's log, as one poll sees it: caught up with, appended to, and published."""

import logging
from collections.abc import Iterable

from shared.messages import IOC_PAGES
from shared.ports import Outgoing, Publisher
from shared.secops.pages import PageHead, PageLog

log = logging.getLogger(__name__)


class Tail:
    """Everything up to `published` is published, and `head` is the last page's."""

    def __init__(self, pages: PageLog, publisher: Publisher, published: int) -> None:
        self._log = pages
        self._publisher = publisher
        self.published = published
        last = pages.read(published) if published else None
        self.head = last.head if last else None
        self.pages = 0
        self.notifications = 0

    def catch_up(self) -> None:
        """Publish pages that are there already: a poll that crashed, or one that runs beside this, has written them."""
        while page := self._log.read(self.published + 1):
            self._publish(page.head, len(page.items))

    def append(self, head: PageHead, items: Iterable[bytes]) -> bool:
        """Write and publish the next page; return False, and go on to the log's new end, when another poll did."""
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
        message = self._log.message(head, items)
        self._publisher.publish(IOC_PAGES, [Outgoing(message.body(), message.attributes())])
        self.head, self.published = head, head.sequence
