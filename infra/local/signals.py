"""Signal handling of a process that runs a local mesh."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Handler = Callable[[int, FrameType | None], object] | int | None


@contextmanager
def ended_like_interrupted() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt, as SIGINT does, so that every `finally` runs.

    SIGHUP stays ignored when it is at the start: `nohup` asks for that.
    """
    with _handled(signal.default_int_handler):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore further Ctrl-C while stopping, which has its own deadlines."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(handler: Handler) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        # Python lets only the main thread handle signals; there the caller decides.
        yield
        return
    before = {number: signal.signal(number, handler) for number in _SIGNALS if not _outlives_the_terminal(number)}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def _outlives_the_terminal(number: signal.Signals) -> bool:
    return number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN
