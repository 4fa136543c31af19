"""Move a feed's staging into history and recent: one transaction after another, one run at a time."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from services.merger.transactions import RunSql, Transactions
from shared.contracts.minutes import format_minute
from shared.feeds.definition import Feed

log = logging.getLogger(__name__)

# A job may change 4,000 partitions (cloud.google.com/bigquery/quotas); staging's are hours.
_MAX_HOURS = 2000
# A shorter transaction would be cut off, and billed.
_MIN_TRANSACTION = timedelta(seconds=20)


@dataclass(frozen=True)
class MergeResult:
    """What a merge moved out of staging, the number of transactions, and the lines left."""

    lines: int = 0
    minutes: int = 0
    first: str | None = None
    last: str | None = None
    transactions: int = 0
    left: int = 0


class Merger:
    """Merges feeds of one dataset, written `project.dataset`; max_lines limits a transaction beyond its first hour."""

    def __init__(
        self,
        *,
        run: RunSql,
        dataset: str,
        now: Callable[[], datetime],
        max_lines: int,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transactions = Transactions(run=run, dataset=dataset, now=now, pause=pause)
        self._now = now
        self._max_lines = max_lines
        self._running = Lock()

    @contextmanager
    def only_one(self) -> Iterator[bool]:
        """Hold the lock of merges and folds for a block; yields False if another run holds it.

        Two of one feed would cancel each other in BigQuery, and both be billed.
        """
        free = self._running.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._running.release()

    def merge(self, feed: Feed, *, turn: datetime, end: datetime) -> MergeResult:
        """Merge whole hours of a feed, the oldest first, until staging is empty or the feed's turn is over.

        A transaction begins only if the longest one so far would fit into the turn; none runs past `end`. Lines that
        are loaded during the run are left for the next run, because otherwise a run would go on in ever smaller
        transactions while minutes arrive.
        """
        staged = self._transactions.read("staged.sql", feed, end)["lines"]
        merged, longest = MergeResult(left=staged), _MIN_TRANSACTION
        while merged.left and self._now() + longest <= turn:
            begin = self._now()
            merged = _together(merged, self._transaction(feed, end))
            longest = max(longest, self._now() - begin)
        if merged.left:
            log.warning("merger.left: %d lines wait for the next run", merged.left)
        return merged

    def _transaction(self, feed: Feed, end: datetime) -> Mapping[str, Any]:
        row = self._transactions.transact("merge.sql", feed, end, max_lines=self._max_lines, max_hours=_MAX_HOURS)
        log.info("merger.merged: %d lines of %d minutes", row["merged_lines"], row["merged_minutes"])
        return row


def _together(before: MergeResult, row: Mapping[str, Any]) -> MergeResult:
    first, last = row["first_minute"], row["last_minute"]
    return MergeResult(
        lines=before.lines + row["merged_lines"],
        minutes=before.minutes + row["merged_minutes"],
        first=before.first or _written(first),
        last=_written(last) or before.last,
        transactions=before.transactions + 1,
        left=row["staged_lines"] - row["merged_lines"],
    )


def _written(minute: datetime | None) -> str | None:
    return format_minute(minute) if minute else None
