"""Unpack packages with as many processors as there are, by lbzip2 where it is installed and by libbz2 elsewhere."""

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from threading import Lock

from services.downloader.blocks import decompress_blocks
from services.downloader.bzip2 import decompress
from services.downloader.lbzip2 import decompress_by

# Per package: enough that no thread waits for the lines of the last block to be written.
_AHEAD = 2


class Unpacker:
    """Decodes packages.

    `lbzip2` is the path of that program. All packages that are decoded at once share the processors: more threads than
    those take each other's caches, and two pairs of lbzip2's on two processors took more than twice the time of two
    single ones.
    """

    def __init__(self, processors: int | None = None, lbzip2: str | None = None) -> None:
        count = processors or _processors()
        self._processors = count
        self._lbzip2 = lbzip2
        self._in_hand = 0
        self._lock = Lock()
        # On a single processor blocks in threads would only cost what finding and wrapping them costs.
        self._threads = ThreadPoolExecutor(count, "bzip2") if count > 1 and not lbzip2 else None
        self._ahead = count + _AHEAD

    def __call__(self, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Yield a package's bytes; raise CorruptPackageError unless it is whole."""
        if self._lbzip2:
            return self._by_program(self._lbzip2, chunks)
        if self._threads is None:
            return decompress(chunks)
        return decompress_blocks(chunks, self._threads, self._ahead)

    def _by_program(self, lbzip2: str, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        with self._one_more():
            coming = iter(chunks)
            # Packages that are asked for at the same moment are all in hand once the first bytes are.
            first = list(islice(coming, 1))
            threads = max(1, self._processors // self._in_hand)
            yield from decompress_by(lbzip2, threads, chain(first, coming))

    @contextmanager
    def _one_more(self) -> Iterator[None]:
        with self._lock:
            self._in_hand += 1
        try:
            yield
        finally:
            with self._lock:
                self._in_hand -= 1


def _processors() -> int:
    # A container may have fewer than the machine; only Linux says so.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
