"""The accounts of a stream: is every notification of its log accepted by SecOps, or given up with a reason.

balanced: notifications = delivered + dead-lettered, page by page, and no notification in two pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.ports import Bucket
from shared.secops.delivery import Delivery, delivery_name, read_delivery
from shared.secops.pages import PageLog, page_name
from shared.streams import Stream


@dataclass(frozen=True)
class PageAccount:
    """One page of a log and what has become of it."""

    sequence: int
    keys: tuple[str, ...]
    delivery: Delivery

    def mismatch(self) -> str | None:
        """Return what does not balance, or None."""
        accounted = self.delivery.accepted + self.delivery.dead
        if accounted == len(self.keys):
            return None
        return f"page {self.sequence} has {len(self.keys)} notifications, {accounted} are accounted for"


@dataclass(frozen=True)
class StreamAccounts:
    """All pages of a stream; requests and duplicates are what SecOps itself counted."""

    pages: tuple[PageAccount, ...]
    requests: int = 0
    duplicates: int = 0
    accepted: int | None = None

    @property
    def keys(self) -> list[str]:
        """The key of every notification, page by page."""
        return [key for page in self.pages for key in page.keys]

    @property
    def delivered(self) -> int:
        """How many notifications were accepted, by our records."""
        return sum(page.delivery.accepted for page in self.pages)

    def mismatches(self) -> Iterator[str]:
        """Yield everything that does not balance, in a line each."""
        yield from filter(None, (page.mismatch() for page in self.pages))
        if again := len(self.keys) - len(set(self.keys)):
            yield f"{again} notifications are in two pages"
        if self.accepted not in (None, self.delivered):
            yield f"SecOps has {self.accepted} notifications, and {self.delivered} are recorded as delivered"

    def report(self) -> dict[str, int | bool]:
        """Return the figures as the report has them."""
        return {
            "notifications": len(self.keys),
            "delivered": self.delivered,
            "pages": len(self.pages),
            "requests": self.requests,
            "duplicates": self.duplicates,
            "dead_lettered": sum(page.delivery.dead for page in self.pages),
            "balanced": not any(self.mismatches()),
        }


def read_pages(bucket: Bucket, stream: Stream) -> tuple[PageAccount, ...]:
    """Read a stream's log from its first page on, and what has become of each page."""
    log = PageLog(bucket, stream.name)
    found: list[PageAccount] = []
    while page := log.read(len(found) + 1):
        sequence, count = page.head.sequence, len(page.items)
        keys = tuple(stream.key_of(page.item(number)) or f"{sequence}/{number}" for number in range(count))
        name = delivery_name(page_name(stream.name, sequence))
        stored = bucket.read(name)
        delivery = read_delivery(stored.data, bucket.uri(name)) if stored else Delivery(items=count)
        found.append(PageAccount(sequence, keys, delivery))
    return tuple(found)
