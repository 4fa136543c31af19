"""Move a feed's staging into history and current, one transaction a feed, one merge at a time."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any, Protocol

import stamina

from shared.feeds.definition import Feed
from shared.minutes import format_minute
from shared.warehouse.errors import ConcurrentUpdate
from shared.warehouse.rendering import render

log = logging.getLogger(__name__)

_ATTEMPTS = 5
# As the schedule runs.
_EVERY_SECONDS = 1800


def in_turn(feeds: Sequence[str], now: datetime) -> tuple[str, ...]:
    """Return the feeds, another one first each half hour: a run that is cut off must not always be so at the same."""
    begin = int(now.timestamp()) // _EVERY_SECONDS % len(feeds) if feeds else 0
    return (*feeds[begin:], *feeds[:begin])


class RunSql(Protocol):
    """Runs a statement or a script in BigQuery and returns the rows of its last SELECT."""

    def __call__(self, sql: str, /) -> Sequence[Mapping[str, Any]]:
        """Run it; raise ConcurrentUpdate when another statement got in the way."""


@dataclass(frozen=True)
class Merged:
    """What one merge moved out of staging; nothing, when staging was empty."""

    lines: int = 0
    minutes: int = 0
    first: str | None = None
    last: str | None = None


class Merger:
    """Merges feeds of one dataset, written `project.dataset`."""

    def __init__(self, *, run: RunSql, dataset: str) -> None:
        self._run = run
        self._dataset = dataset
        self._running = Lock()

    @contextmanager
    def only_one(self) -> Iterator[bool]:
        """Hold the right to merge for a block; yields False when somebody else has it.

        Two merges of one feed would be cancelled by BigQuery one after the other, and both be paid for.
        """
        free = self._running.acquire(blocking=False)
        try:
            yield free
        finally:
            if free:
                self._running.release()

    def merge(self, feed: Feed) -> Merged:
        """Merge what is staged of a feed; a transaction that met another statement is run again."""
        if not self._sql("staged.sql", feed)[0]["lines"]:
            return Merged()
        for attempt in stamina.retry_context(on=ConcurrentUpdate, attempts=_ATTEMPTS, wait_initial=1.0, timeout=None):
            with attempt:
                merged = _merged(self._sql("merge.sql", feed)[0])
        log.info("merger.merged: %d lines of %d minutes", merged.lines, merged.minutes)
        return merged

    def _sql(self, name: str, feed: Feed) -> Sequence[Mapping[str, Any]]:
        return self._run(render(f"services.merger/{name}", dataset=self._dataset, feed=feed))


def _merged(row: Mapping[str, Any]) -> Merged:
    return Merged(
        row["merged_lines"], row["merged_minutes"], _written(row["first_minute"]), _written(row["last_minute"])
    )


def _written(minute: datetime | None) -> str | None:
    return format_minute(minute) if minute else None
