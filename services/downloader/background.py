"""Write in a thread of its own, so that compressing and uploading go on while the next lines are made."""

from collections.abc import Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Thread

from shared.ports import Writer

# Pieces of about a mebibyte; more of them would only cost memory.
_MOST_WAITING = 4


@contextmanager
def in_background(writer: Writer) -> Iterator[Writer]:
    """Give a writer that returns at once; what the real one raises comes out of a later write or of the block's end."""
    behind = _Behind(writer)
    thread = Thread(target=behind.run, name="package-writer", daemon=True)
    thread.start()
    try:
        yield behind
    finally:
        behind.queue.put(None)
        thread.join()
    behind.check()


class _Behind:
    def __init__(self, writer: Writer) -> None:
        self.queue: Queue[bytes | None] = Queue(_MOST_WAITING)
        self._writer = writer
        self._failure: BaseException | None = None

    def write(self, data: bytes, /) -> int:
        self.check()
        self.queue.put(data)
        return len(data)

    def run(self) -> None:
        while (data := self.queue.get()) is not None:
            # After a failure the queue is only emptied, so that nobody waits for room in it.
            if self._failure is None:
                try:
                    self._writer.write(data)
                except BaseException as error:  # noqa: BLE001 - it is raised again in the thread that writes
                    self._failure = error

    def check(self) -> None:
        if self._failure:
            raise self._failure
