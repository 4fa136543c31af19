"""Download a package at full speed, independently of how fast it is decoded, in bounded memory.

A source that cannot send may reset the connection. So a separate thread reads the bytes into memory. All packages of a
process share a limit; once it is reached, the download is only as fast as the decoder, which is better than running out
of memory. A temporary file would not help: on Cloud Run files are in memory too.
"""

import logging
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Condition, Thread
from typing import Protocol

from shared.contracts.outcomes import Retryable

# Each package may hold this much in any case, so that no package blocks another.
OWN_BYTES = 8 * 1024 * 1024
# A reader that waits for response headers cannot be woken; it ends by its own timeouts.
_STOP_SECONDS = 5.0

log = logging.getLogger(__name__)


class PackageSource(Protocol):
    """A package being downloaded."""

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes as they arrive; raise if the download cannot be completed."""

    def stop(self) -> None:
        """Wake the thread that waits for its bytes; called from another thread."""


class Spools:
    """The spools of a process, which share `shared` bytes in addition to `own` bytes each."""

    def __init__(self, shared: int, own: int = OWN_BYTES) -> None:
        self.free = shared
        self.own = own
        self.changed = Condition()

    @contextmanager
    def taken_off_the_wire(self, package: PackageSource, limit: timedelta) -> Iterator[Iterator[bytes]]:
        """Yield a package's bytes while a thread reads them; raise the reader's error, or Retryable past the limit."""
        spool = _Spool(self, time.monotonic() + limit.total_seconds(), limit)
        reader = Thread(target=spool.fill, args=(package,), name="package-reader", daemon=True)
        reader.start()
        try:
            yield spool.chunks()
        finally:
            spool.stop()
            package.stop()
            reader.join(_STOP_SECONDS)


@dataclass
class _Spool:
    """A bounded queue of bytes with its own quota plus what is free of the shared quota."""

    spools: Spools
    end: float
    limit: timedelta
    _chunks: deque[bytes] = field(default_factory=deque)
    _held: int = 0
    _failure: BaseException | None = None
    _finished: bool = False
    _logged: bool = False

    def fill(self, package: PackageSource) -> None:
        """Read a whole package; an error is kept and raised to the consumer."""
        try:
            for chunk in package.chunks():
                if not self._put(chunk):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits for the bytes
            self._failure = error
        with self.spools.changed:
            self._finished = True
            self.spools.changed.notify_all()

    def stop(self) -> None:
        """Stop reading and release the memory."""
        with self.spools.changed:
            self._finished = True
            self._chunks.clear()
            self._hold(-self._held)
            self.spools.changed.notify_all()

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in order, then raise the reader's error if there was one."""
        while chunk := self._take():
            yield chunk
        if self._failure:
            raise self._failure

    def _put(self, chunk: bytes) -> bool:
        with self.spools.changed:
            while not (self._finished or self._has_room(len(chunk))):
                self._log_once()
                self.spools.changed.wait()
            if self._finished:
                return False
            self._chunks.append(chunk)
            self._hold(len(chunk))
            self.spools.changed.notify_all()
            return True

    def _take(self) -> bytes:
        with self.spools.changed:
            while True:
                left = self.end - time.monotonic()
                if left <= 0:
                    # Past the ack deadline Pub/Sub redelivers the minute; stop before that.
                    raise Retryable(f"the download took longer than {self.limit}; nothing landed")
                if self._chunks:
                    chunk = self._chunks.popleft()
                    self._hold(-len(chunk))
                    self.spools.changed.notify_all()
                    return chunk
                if self._finished:
                    return b""
                self.spools.changed.wait(left)

    def _has_room(self, size: int) -> bool:
        # An empty spool accepts a chunk of any size, because the consumer is waiting for it.
        return not self._held or self._shared(size) <= max(0, self.spools.free)

    def _hold(self, size: int) -> None:
        self.spools.free -= self._shared(size)
        self._held += size

    def _shared(self, size: int) -> int:
        """Return how many shared bytes a change of this size takes (or releases, if negative)."""
        own = self.spools.own
        return max(0, self._held + size - own) - max(0, self._held - own)

    def _log_once(self) -> None:
        if not self._logged:
            self._logged = True
            log.info(
                "downloader.held_back: the packages of this instance have reached their memory limit; the source waits"
            )
