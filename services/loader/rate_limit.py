"""Limit the rate of load jobs per table."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock

from shared.contracts.outcomes import Retryable


class RateLimit:
    """Spaces out each table's load jobs; thread-safe.

    A partitioned table takes 50 changes in ten seconds (cloud.google.com/bigquery/quotas), from all sources: all
    instances of the loader together must stay below that, so each gets a share.
    """

    def __init__(
        self, per_second: float, *, now: Callable[[], datetime], pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._between = timedelta(seconds=1 / per_second)
        self._now = now
        self._pause = pause
        self._next: dict[str, datetime] = {}
        self._lock = Lock()

    def wait(self, table: str, last_moment: datetime) -> None:
        """Wait for the table's next slot; raise Retryable if it is after the deadline."""
        with self._lock:
            now = self._now()
            moment = max(now, self._next.get(table, now))
            if moment > last_moment:
                raise Retryable(f"too many load jobs of {table} wait for their turn")
            self._next[table] = moment + self._between
        if moment > now:
            self._pause((moment - now).total_seconds())
