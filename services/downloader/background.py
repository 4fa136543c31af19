"""Write in a separate thread, so that compressing and uploading overlap with processing the next lines."""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Thread

from shared.contracts.interfaces import Writer

# Pieces of about a mebibyte; more of them would only cost memory.
_MAX_WAITING = 4


@contextmanager
def in_background(writer: Writer) -> Iterator[Writer]:
    """Yield a writer that returns at once; the real writer's errors are raised by a later write or at the end."""
    queued = _QueuedWriter(writer)
    thread = Thread(target=queued.run, name="package-writer", daemon=True)
    thread.start()
    try:
        yield queued
    finally:
        queued.queue.put(None)
        thread.join()
    queued.check()


class _QueuedWriter:
    def __init__(self, writer: Writer) -> None:
        self.queue: Queue[bytes | None] = Queue(_MAX_WAITING)
        self._writer = writer
        self._failure: BaseException | None = None

    def write(self, data: bytes, /) -> int:
        self.check()
        self.queue.put(data)
        return len(data)

    def run(self) -> None:
        while (data := self.queue.get()) is not None:
            # After a failure the queue is only drained, so that no writer blocks on it.
            if self._failure is None:
                try:
                    self._writer.write(data)
                except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that writes
                    self._failure = error

    def check(self) -> None:
        if self._failure:
            raise self._failure
