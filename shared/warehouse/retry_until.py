"""Retry what was refused by a rate limit, until a deadline."""

import random
import time
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from shared.warehouse.errors import RateLimited

T = TypeVar("T")

# BigQuery's limits of modifications to one table are counted over ten seconds.
_FIRST_SECONDS = 10.0
_MAX_SECONDS = 60.0


class RetryUntil:
    """Waits up to 10, 20, 40, 60 s ..., never past a deadline; half of each wait is jitter."""

    def __init__(
        self, until: datetime, *, now: Callable[[], datetime], pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._until = until
        self._now = now
        self._pause = pause
        self._most = _FIRST_SECONDS

    def wait(self) -> bool:
        """Wait and return True; return False at once if there is no time left to wait and retry."""
        seconds = self._most * random.uniform(0.5, 1.0)  # noqa: S311 nothing secret
        if (self._until - self._now()).total_seconds() <= seconds:
            return False
        self._most = min(2 * self._most, _MAX_SECONDS)
        self._pause(seconds)
        return True

    def repeat(self, work: Callable[[], T]) -> T:
        """Call a function until it is not rate-limited; raise RateLimited at the deadline."""
        while True:
            try:
                return work()
            except RateLimited:
                if not self.wait():
                    raise
