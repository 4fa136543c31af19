"""Buffer items from source pages of 40 into pages of the log, each the size of one request to SecOps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from services.secops_forwarder.importer.chunks import Limits


@dataclass(frozen=True)
class NewItem:
    """A new item: its key, its date, its JSON, and the cursor of its source page."""

    key: str
    date: datetime | None
    text: bytes
    cursor: str | None


@dataclass(frozen=True)
class BufferedPage:
    """Items for one page of the log, and the cursor that continues after them."""

    items: tuple[NewItem, ...]
    cursor: str | None


class PageBuffer:
    """Buffers items until the next one would need another request."""

    def __init__(self, limits: Limits, most: Callable[[int], int]) -> None:
        self._limits = limits
        self._most = most
        self._held: list[NewItem] = []
        self._bytes = 0
        self.keys: set[str] = set()

    def add(self, items: Iterator[NewItem]) -> Iterator[BufferedPage]:
        """Add items and yield full pages; a page's cursor is that of the next page's first item."""
        for item in items:
            size = self._most(len(item.text))
            if self._held and (len(self._held) >= self._limits.logs or self._bytes + size > self._limits.bytes):
                yield self.flush(item.cursor)
            self._held.append(item)
            self.keys.add(item.key)
            self._bytes += size

    def flush(self, cursor: str | None) -> BufferedPage:
        """Return the buffered items as a page with this cursor."""
        buffered = BufferedPage(tuple(self._held), cursor)
        self._held, self._bytes, self.keys = [], 0, set()
        return buffered

    def __len__(self) -> int:
        """Return the number of buffered items."""
        return len(self._held)
