"""Decode packages: with lbzip2 on all processors if it is installed, otherwise with libbz2."""

import os
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock, Semaphore

from services.downloader.bzip2.lbzip2 import decompress_by
from services.downloader.bzip2.libbz2 import decompress

# Two decode a package while a third thread checks, compresses and uploads what they gave.
_PROCESSORS_PER_PACKAGE = 2
# Long enough for most packages, short enough not to be blocked by a slow source.
_MAX_WAIT_SECONDS = 20.0


class Unpacker:
    """Decodes packages.

    `lbzip2` is the path of that program; without it libbz2 decodes each package on one thread. With it packages take
    turns: decoding two packages at once on two processors took longer than one after another.
    """

    def __init__(
        self, processors: int | None = None, lbzip2: str | None = None, max_wait: float = _MAX_WAIT_SECONDS
    ) -> None:
        self._processors = processors or _processors()
        self._lbzip2 = lbzip2
        self._turns = Semaphore(max(1, self._processors // _PROCESSORS_PER_PACKAGE))
        self._max_wait = max_wait
        self._in_hand = 0
        self._lock = Lock()

    def __call__(self, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Yield a package's bytes; raise CorruptPackageError unless it is complete."""
        return self._by_program(self._lbzip2, chunks) if self._lbzip2 else decompress(chunks)

    def _by_program(self, lbzip2: str, chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        with self._counted(), self._turn() as threads:
            yield from decompress_by(lbzip2, threads, chunks)

    @contextmanager
    def _turn(self) -> Iterator[int]:
        """Wait for free processors and yield their number; yield one after the maximum wait."""
        in_time = self._turns.acquire(timeout=self._max_wait)
        alone = self._processors // self._in_hand
        try:
            yield max(alone, min(_PROCESSORS_PER_PACKAGE, self._processors)) if in_time else 1
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
    # A container may have fewer than the machine; only Linux reports that.
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
