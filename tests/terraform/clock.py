"""A clock that advances only by waiting.

Everything that may happen before a wait is over has happened by then, so code that has not waited sees the cloud at its
latest.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition
from time import monotonic

# How long nothing has to be asked until the next wait is over. On a machine that pauses for longer the clock runs on
# early, which makes the double more lenient and never less.
_QUIET_SECONDS = 0.3


class Clock:
    """Seconds that pass only by waiting."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[float] = []
        self._working = 0
        self._last = monotonic()
        self._changed = Condition()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Stop the clock while the block runs."""
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    def wait(self, seconds: float) -> None:
        """Return after this much time."""
        with self._changed:
            until = self.now + seconds
            self._waiting.append(until)
            while self.now < until:
                if self._quiet() and until == min(self._waiting):
                    self.now = until
                    self._changed.notify_all()
                else:
                    self._changed.wait(_QUIET_SECONDS / 3)
            self._waiting.remove(until)
            self._last = monotonic()

    def _quiet(self) -> bool:
        return not self._working and monotonic() - self._last > _QUIET_SECONDS

    def _count(self, change: int) -> None:
        with self._changed:
            self._working += change
            self._last = monotonic()
