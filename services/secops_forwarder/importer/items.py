"""What a delivery sends: the items of one object of the bucket, in order, each as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from shared.streams.page_log import Page, PageHead


class Items(Protocol):
    """Items that can be read again from any position; `what` names them in reasons."""

    @property
    def head(self) -> PageHead:
        """Where the items come from, and when they landed."""

    @property
    def count(self) -> int:
        """The number of items."""

    @property
    def what(self) -> str:
        """The name of the object that has the items, for people."""

    @property
    def stem(self) -> str:
        """The beginning of the names of items that are set aside: digits and hyphens, different for each object."""

    @property
    def alone(self) -> bool:
        """Whether the object has one item, and is given up by its own dead letter if that one is."""

    def since(self, first: int) -> Iterator[bytes]:
        """Yield the items from a position on."""


@dataclass(frozen=True)
class PageItems:
    """The items of a page of a stream's log."""

    page: Page

    @property
    def head(self) -> PageHead:
        """The page without its items."""
        return self.page.head

    @property
    def count(self) -> int:
        """The number of items."""
        return len(self.page.items)

    @property
    def what(self) -> str:
        """The page's name for people."""
        return f"page {self.head.sequence} of {self.head.stream!r}"

    @property
    def stem(self) -> str:
        """The page's number."""
        return f"{self.head.sequence:010d}"

    @property
    def alone(self) -> bool:
        """Whether the page has one item."""
        return self.count == 1

    def since(self, first: int) -> Iterator[bytes]:
        """Yield the items from a position on."""
        return islice(self.page.items, first, None)
