"""Unpack packages with as many processors as there are, by lbzip2 where it is installed and by libbz2 elsewhere."""

import os
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock, Semaphore

from services.downloader.blocks import decompress_blocks
from services.downloader.bzip2 import decompress
from services.downloader.lbzip2 import decompress_by

# Per package: enough that no thread waits for the lines of the last block to be written.
_AHEAD = 2
# Two decode a package while a third thread checks, compresses and uploads what they gave.
_PROCESSORS_A_PACKAGE = 2
# Long enough for most packages, short enough not to be held up by one whose source is slow.
_MOST_WAIT_SECONDS = 20.0


class Unpacker:
    """Decodes packages.

    `lbzip2` is the path of that program. With it packages take turns: more threads than processors cost each other
    more than they gain, and two packages at once on two processors took longer than one after the other.
    """

    def __init__(
        self, processors: int | None = None, lbzip2: str | None = None, most_wait: float = _MOST_WAIT_SECONDS
    ) -> None:
        count = processors or _processors()
        self._processors = count
        self._lbzip2 = lbzip2
        self._turns = Semaphore(max(1, count // _PROCESSORS_A_PACKAGE))
        self._most_wait = most_wait
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
        with self._counted(), self._turn() as threads:
            yield from decompress_by(lbzip2, threads, chunks)

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """Wait for free processors, and yield how many; one, when the wait has been long enough."""
        in_time = self._turns.acquire(timeout=self._most_wait)
        alone = self._processors // self._in_hand
        try:
            yield max(alone, min(_PROCESSORS_A_PACKAGE, self._processors)) if in_time else 1
        finally:
            if in_time:
                self._turns.release()

    @contextmanager
    def _counted(self) -> Iterator[None]:
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
