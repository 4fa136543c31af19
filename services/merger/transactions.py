"""Run the merger's SQL, and retry after a conflict or a rate limit, until a deadline."""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import stamina

from shared.feeds.definition import Feed
from shared.warehouse.errors import ConcurrentUpdate
from shared.warehouse.rendering import render
from shared.warehouse.retry_until import RetryUntil

_CONFLICTS = 5


class RunSql(Protocol):
    """Runs a statement or a script in BigQuery and returns the rows of its last SELECT."""

    def __call__(self, sql: str, /, *, seconds: float) -> Sequence[Mapping[str, Any]]:
        """Run it for at most this long; raise ConcurrentUpdate if another statement conflicts."""


class Transactions:
    """Runs the .sql files of this package against one dataset, written `project.dataset`."""

    def __init__(
        self,
        *,
        run: RunSql,
        dataset: str,
        now: Callable[[], datetime],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._run = run
        self._dataset = dataset
        self._now = now
        self._pause = pause

    def read(self, file: str, feed: Feed, end: datetime, **values: object) -> Mapping[str, Any]:
        """Run a file, which ends at `end` at the latest, and return its one row."""
        sql = render(f"services.merger/{file}", dataset=self._dataset, feed=feed, **values)
        [row] = self._run(sql, seconds=max((end - self._now()).total_seconds(), 1.0))
        return row

    def transact(self, file: str, feed: Feed, end: datetime, **values: object) -> Mapping[str, Any]:
        """Run a file that is one transaction; retry after a conflict or a rate limit."""
        for attempt in stamina.retry_context(on=ConcurrentUpdate, attempts=_CONFLICTS, wait_initial=1.0, timeout=None):
            with attempt:
                patience = RetryUntil(end, now=self._now, pause=self._pause)
                return patience.repeat(lambda: self.read(file, feed, end, **values))
        raise AssertionError("an attempt returns or raises")
