"""Take a package off the wire as fast as it comes, however slowly it is decoded.

A source that cannot get rid of its bytes resets the connection. So a thread of its own reads them into memory and,
past a limit, into a temporary file, in the order of their arrival.
"""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from tempfile import TemporaryFile
from threading import Condition, Thread
from typing import IO, Protocol

from shared.outcomes import Retryable

_MEMORY_BYTES = 8 * 1024 * 1024
_READ_BYTES = 256 * 1024
# A reader that waits for an answer, and not for bytes, cannot be woken; it ends by itself, with its own timeouts.
_STOP_SECONDS = 5.0


class Package(Protocol):
    """A package on its way."""

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes as they arrive; raise when they cannot be had to the end."""

    def stop(self) -> None:
        """Wake whoever waits for its bytes, from another thread."""


@contextmanager
def taken_off_the_wire(package: Package, limit: timedelta, memory: int = _MEMORY_BYTES) -> Iterator[Iterator[bytes]]:
    """Give a package's bytes while a thread reads them; raise what the reading raised, or Retryable past the limit."""
    with TemporaryFile() as file:
        spool = _Spool(file, memory, time.monotonic() + limit.total_seconds(), limit)
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
    """A queue of bytes whose end lies in a file; the file is used from the moment memory is full until it is empty."""

    file: IO[bytes]
    memory: int
    end: float
    limit: timedelta
    _chunks: deque[bytes] = field(default_factory=deque)
    _held: int = 0
    _written: int = 0
    _read: int = 0
    _failure: BaseException | None = None
    _finished: bool = False
    _changed: Condition = field(default_factory=Condition)

    def fill(self, package: Package) -> None:
        """Take in a whole package, and keep whatever its reading raises for whoever takes the bytes out."""
        try:
            for chunk in package.chunks():
                if not self._put(chunk):
                    return
        except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that waits for the bytes
            self._failure = error
        with self._changed:
            self._finished = True
            self._changed.notify()

    def stop(self) -> None:
        """Take in no more."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in their order; raise what the reading raised once those before are out."""
        while chunk := self._take():
            yield chunk
        if self._failure:
            raise self._failure

    def _put(self, chunk: bytes) -> bool:
        with self._changed:
            if self._finished:
                return False
            if self._written == self._read and self._held + len(chunk) <= self.memory:
                self._chunks.append(chunk)
                self._held += len(chunk)
            else:
                self.file.seek(self._written)
                self._written += self.file.write(chunk)
            self._changed.notify()
            return True

    def _take(self) -> bytes:
        with self._changed:
            while True:
                left = self.end - time.monotonic()
                if left <= 0:
                    # Past the ack deadline Pub/Sub gives the minute to somebody else; better to stop before.
                    raise Retryable(f"the download took longer than {self.limit}; nothing landed")
                if self._chunks:
                    chunk = self._chunks.popleft()
                    self._held -= len(chunk)
                    return chunk
                if self._read < self._written:
                    return self._from_file()
                if self._finished:
                    return b""
                self._changed.wait(left)

    def _from_file(self) -> bytes:
        self.file.seek(self._read)
        chunk = self.file.read(min(_READ_BYTES, self._written - self._read))
        self._read += len(chunk)
        if self._read == self._written:
            self._read = self._written = 0
            self.file.truncate(0)
        return chunk
