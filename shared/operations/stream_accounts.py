"""The accounts of a stream, or of a feed's landed hours: every item is accepted by SecOps or given up with a reason.

Balanced: items = delivered + dead-lettered, page by page, and no item in two pages.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from shared.contracts.interfaces import Bucket
from shared.contracts.minutes import format_minute, manifest_minute
from shared.runtime.json_bytes import read_object
from shared.streams.definition import Stream
from shared.streams.delivery_progress import Delivery, find_delivery
from shared.streams.landed_lines import landed_lines
from shared.streams.landing_log import hour_number, landing_delivery, read_landing
from shared.streams.page_log import PageLog, page_name


@dataclass(frozen=True)
class PageAccount:
    """One page of a log and its delivery; name is for people, if the number is not."""

    sequence: int
    keys: tuple[str, ...]
    delivery: Delivery
    name: str = ""

    def mismatch(self) -> str | None:
        """Return the mismatch, or None."""
        accounted = self.delivery.accepted + self.delivery.dead
        # Without items it does not go to SecOps.
        if accounted == len(self.keys) or not self.delivery.items:
            return None
        return f"{self.name or f'page {self.sequence}'} has {len(self.keys)} items, {accounted} are accounted for"


@dataclass(frozen=True)
class StreamAccounts:
    """All pages of a stream; requests and duplicates are counted by SecOps itself.

    returning is whether an item may return to an earlier version, so that only a version that follows itself is wrong.
    """

    pages: tuple[PageAccount, ...]
    returning: bool = False
    requests: int = 0
    duplicates: int = 0
    accepted: int | None = None

    @property
    def keys(self) -> list[str]:
        """The key of every notification, page by page."""
        return [key for page in self.pages for key in page.keys]

    @property
    def repeated(self) -> int:
        """The number of items that are there once more without a change."""
        if not self.returning:
            return len(self.keys) - len(set(self.keys))
        last: dict[str, str] = {}
        again = 0
        for identity, _, version in (key.rpartition(" ") for key in self.keys):
            again += last.get(identity) == version
            last[identity] = version
        return again

    @property
    def delivered(self) -> int:
        """The number of items recorded as accepted."""
        return sum(page.delivery.accepted for page in self.pages)

    def mismatches(self) -> Iterator[str]:
        """Yield all mismatches, one line each."""
        yield from filter(None, (page.mismatch() for page in self.pages))
        if self.repeated:
            yield f"{self.repeated} items are in two pages"
        if self.accepted not in (None, self.delivered):
            yield f"SecOps has {self.accepted} items, and {self.delivered} are recorded as delivered"

    def report(self) -> dict[str, int | bool]:
        """Return the figures for the JSON report."""
        return {
            "notifications": len(self.keys),
            "delivered": self.delivered,
            "pages": len(self.pages),
            "requests": self.requests,
            "duplicates": self.duplicates,
            "dead_lettered": sum(page.delivery.dead for page in self.pages),
            "balanced": not any(self.mismatches()),
        }


def read_landings(bucket: Bucket, feed: str) -> tuple[PageAccount, ...]:
    """Read every landed hour of a feed as a page, with its delivery; a line's key is its hour and its id."""
    found: list[PageAccount] = []
    for name in bucket.names(f"{feed}/"):
        hour = manifest_minute(name)
        if hour and (landed := read_landing(bucket, feed, hour)):
            lines = landed_lines(bucket, landed)
            keys = tuple(f"{hour:%Y-%m-%dT%H}/{read_object(line)['id']}" for line in lines)
            what = f"hour {format_minute(hour)}"
            found.append(PageAccount(hour_number(hour), keys, landing_delivery(bucket, landed), what))
    return tuple(found)


def read_pages(bucket: Bucket, stream: Stream) -> tuple[PageAccount, ...]:
    """Read a stream's log from its first page on, with each page's delivery."""
    log = PageLog(bucket, stream.name)
    found: list[PageAccount] = []
    while page := log.read(len(found) + 1):
        sequence, count = page.head.sequence, len(page.items)
        keys = tuple(stream.key_of(page.item(number)) or f"{sequence}/{number}" for number in range(count))
        delivery = find_delivery(bucket, page_name(stream.name, sequence)) or Delivery(items=count)
        found.append(PageAccount(sequence, keys, delivery))
    return tuple(found)
