"""Cut a page's entries into requests: greedy, in their order, never above a limit, and always at the same places."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """What one request may hold; bytes are those of the encoded body."""

    bytes: int
    logs: int


@dataclass(frozen=True)
class Chunk:
    """Entries that travel together; after is the position of the item behind the last one."""

    entries: tuple[bytes, ...]
    after: int


@dataclass(frozen=True)
class Oversize:
    """An entry that fits into no request, with the size of the request that it would need."""

    position: int
    bytes: int


def cut(
    entries: Iterable[bytes], limits: Limits, size: Callable[[int, int], int], first: int = 0
) -> Iterator[Chunk | Oversize]:
    """Yield chunks and oversize entries in the order of the items.

    `size` gives the request's size from the bytes and the number of its entries; `first` is the first one's position.
    An oversize entry is left out of the chunk around it, and comes before that chunk.
    """
    held: list[bytes] = []
    held_bytes = 0
    position = first - 1
    for position, entry in enumerate(entries, first):
        if (alone := size(len(entry), 1)) > limits.bytes:
            yield Oversize(position, alone)
            continue
        if held and (len(held) >= limits.logs or size(held_bytes + len(entry), len(held) + 1) > limits.bytes):
            yield Chunk(tuple(held), position)
            held, held_bytes = [], 0
        held.append(entry)
        held_bytes += len(entry)
    if held:
        yield Chunk(tuple(held), position + 1)
