"""An in-memory fake of staging, with behaviour that the emulator lacks: used job ids, and lenient loads."""

import gzip
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from shared.contracts.interfaces import Bucket
from shared.contracts.minutes import parse_minute
from shared.contracts.outcomes import Retryable
from shared.feeds.definition import Feed
from shared.warehouse.errors import RateLimited
from shared.warehouse.staging import LinesKept, LoadEnd, LoadJob

Row = dict[str, Any]


class MemoryStaging:
    """Loads objects of a bucket as BigQuery does: all or nothing, and once per id.

    `faults` are the results of the next jobs, `faulty_ids` lines that no job accepts, `running` jobs that have not
    ended, `limits` how many of the next jobs may not begin yet; `calls` counts the calls to BigQuery.
    """

    def __init__(self, bucket: Bucket) -> None:
        self.rows: list[tuple[str, Row]] = []
        self.jobs: dict[str, LoadEnd] = {}
        self.running: set[str] = set()
        self.merged: set[datetime] = set()
        self.faults: list[LoadEnd] = []
        self.faulty_ids: set[str] = set()
        self.limits = 0
        self.calls = 0
        self.history_expiry: int | None = None
        self.at_begin: Callable[[], None] = lambda: None
        self._bucket = bucket

    def begin(self, job: LoadJob) -> bool:
        """Start a load job; return False if a job with this id was started before, whatever its outcome."""
        self.calls += 1
        if self.limits:
            self.limits -= 1
            raise RateLimited("Exceeded rate limits: too many table update operations for this table")
        if job.id in self.jobs:
            return False
        self.at_begin()
        self.jobs[job.id] = self.faults.pop(0) if self.faults else self._load(job)
        return True

    def end(self, job: LoadJob, *, seconds: float) -> LoadEnd:
        """Return how a job ended; raise Retryable for one that still runs."""
        self.calls += 1
        if job.id in self.running:
            raise Retryable(f"load job {job.id} still runs after {seconds:.0f} s")
        return self.jobs[job.id]

    def lines_kept(self, feed: Feed, minute: datetime) -> LinesKept:
        """Return the lines of a minute; those of `merged` minutes count as merged."""
        self.calls += 1
        lines = frozenset(
            row["feed_line"] for name, row in self.rows if name == feed.name and row["feed_minute"] == minute
        )
        return LinesKept(lines, lines if minute in self.merged else frozenset())

    def history_days(self, feed: Feed) -> int | None:
        """Return after how many days history expires, for any feed."""
        del feed
        return self.history_expiry

    def _load(self, job: LoadJob) -> LoadEnd:
        stored = self._bucket.read(self._bucket.name_of(job.uri))
        if stored is None:
            return LoadEnd("refused", f"Not found: URI {job.uri}")
        rows = [_row(line) for line in gzip.decompress(stored.data).splitlines()]
        good = [row for row in rows if row and row["id"] not in self.faulty_ids]
        message = "JSON table encountered too many errors" if len(good) < len(rows) else ""
        if len(rows) - len(good) > job.bad_records:
            return LoadEnd("refused", message)
        self.rows += [(job.feed.name, row) for row in good]
        return LoadEnd("done", message)


def _row(line: bytes) -> Row | None:
    try:
        row: Row = json.loads(line)
    except ValueError:
        return None
    return {**row, "feed_minute": parse_minute(row["feed_minute"])}
