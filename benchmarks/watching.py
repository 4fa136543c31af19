"""Sample the memory of a mesh's parts during other work."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread

import psutil


def memory(pids: Mapping[str, int]) -> dict[str, float]:
    """Return the resident MiB of each part, including its children."""
    return {part: sum(map(_resident, _family(pid))) / 2**20 for part, pid in pids.items()}


@contextmanager
def watching(pids: Mapping[str, int], seconds: float = 1.0) -> Iterator[dict[str, int]]:
    """Yield the maximum MiB of each part, sampled at an interval while the block runs."""
    peaks: dict[str, int] = {}

    def look() -> None:
        for part, held in memory(pids).items():
            peaks[part] = max(peaks.get(part, 0), round(held))

    with every(seconds, look):
        yield peaks


@contextmanager
def every(seconds: float, action: Callable[[], object]) -> Iterator[None]:
    """Call a function repeatedly in a background thread while the block runs."""
    ended = Event()

    def run() -> None:
        while not ended.wait(seconds):
            action()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _family(pid: int) -> list[psutil.Process]:
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def _resident(process: psutil.Process) -> int:
    try:
        held: int = process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
    return held
