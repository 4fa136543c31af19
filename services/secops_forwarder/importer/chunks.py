"""Split entries into requests: greedily, in order, never above a limit, and deterministically.

A refused request is halved, down to a single entry: always in the middle, so a redelivery sends the same requests.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of one request; bytes counts the encoded body."""

    bytes: int
    logs: int


@dataclass(frozen=True, slots=True)
class Item:
    """An item as it is stored, and its position."""

    position: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """An item as it is sent, an element of a request."""

    item: Item
    data: bytes


@dataclass(frozen=True)
class Chunk:
    """The entries of one request; after is the position after the last one."""

    entries: tuple[Entry, ...]
    after: int

    @property
    def first(self) -> int:
        """The position of the first entry's item."""
        return self.entries[0].item.position

    def halves(self) -> tuple["Chunk", "Chunk"]:
        """Return the first and the second half of two entries or more."""
        middle = (len(self.entries) + 1) // 2
        there = self.entries[middle].item.position
        return Chunk(self.entries[:middle], there), Chunk(self.entries[middle:], self.after)

    def left_from(self, done: int) -> Iterator["Chunk"]:
        """Yield what remains after a position, in the pieces that halving makes."""
        if done <= self.first:
            yield self
        elif len(self.entries) > 1:
            for half in self.halves():
                yield from half.left_from(done)


@dataclass(frozen=True)
class Oversize:
    """An item whose entry is too large for any request, with the size of the request that it would need."""

    item: Item
    bytes: int


@dataclass(frozen=True)
class Unreadable:
    """An item that could not be converted into an entry."""

    item: Item
    reason: str


def cut(
    entries: Iterable[Entry | Unreadable], limits: Limits, size: Callable[[int, int], int]
) -> Iterator[Chunk | Oversize | Unreadable]:
    """Yield chunks and items that cannot be sent, in the order of the items.

    `size` returns a request's size from the bytes and number of its entries.
    An item that cannot be sent is left out of its chunk and yielded before it.
    """
    held: list[Entry] = []
    held_bytes = after = 0
    for entry in entries:
        after = entry.item.position + 1
        if isinstance(entry, Unreadable):
            yield entry
            continue
        length = len(entry.data)
        if (alone := size(length, 1)) > limits.bytes:
            yield Oversize(entry.item, alone)
            continue
        if held and (len(held) >= limits.logs or size(held_bytes + length, len(held) + 1) > limits.bytes):
            yield Chunk(tuple(held), entry.item.position)
            held, held_bytes = [], 0
        held.append(entry)
        held_bytes += length
    if held:
        yield Chunk(tuple(held), after)
