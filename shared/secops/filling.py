"""Fill pages of the log: from pages of 40, as the source gives them, to what one request to SecOps holds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.secops.chunks import Limits


@dataclass(frozen=True)
class Fresh:
    """An item nobody has seen before: its key, its date, its JSON, and the cursor that leads to its source page."""

    key: str
    date: datetime | None
    text: bytes
    cursor: str | None


@dataclass(frozen=True)
class Full:
    """Items for one page of the log, and the cursor that leads to whatever is behind them."""

    items: tuple[Fresh, ...]
    cursor: str | None


class Filling:
    """Gathers items until the next one would need another request."""

    def __init__(self, limits: Limits, most: Callable[[int], int]) -> None:
        self._limits = limits
        self._most = most
        self._held: list[Fresh] = []
        self._bytes = 0
        self.keys: set[str] = set()

    def add(self, items: Iterator[Fresh]) -> Iterator[Full]:
        """Take items in, and give pages as they become full; each ends where its successor's first item is asked."""
        for item in items:
            size = self._most(len(item.text))
            if self._held and (len(self._held) >= self._limits.logs or self._bytes + size > self._limits.bytes):
                yield self.rest(item.cursor)
            self._held.append(item)
            self.keys.add(item.key)
            self._bytes += size

    def rest(self, cursor: str | None) -> Full:
        """Return what is held, behind which this cursor leads on."""
        full = Full(tuple(self._held), cursor)
        self._held, self._bytes, self.keys = [], 0, set()
        return full

    def __len__(self) -> int:
        """Return how many items are held."""
        return len(self._held)
