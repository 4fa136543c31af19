"""An archive to merge into: real tables on the emulator, filled day by day, narrow enough for one machine."""

import gzip
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from benchmarks.billing import Load, Widths, size
from benchmarks.volumes import MERGES_A_DAY, SEEN_BEFORE
from infra.local.virustotal.packages import Package
from shared.feeds.definition import Feed
from shared.warehouse.staging import LoadJob
from tests.support.landed import framed
from tests.support.warehouse import Warehouse

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
# Widths are averages over this many lines as the simulator writes them.
SAMPLE_LINES = 300


@dataclass
class Archive:
    """One feed's history of so many days, with so many observations a day."""

    warehouse: Warehouse
    lines_a_day: int
    windows: int = 0
    ids: int = 0
    # How long the last fold took.
    fold_seconds: float = 0.0

    def grow(self, days: int) -> None:
        """Take further days in, in one load, one merge and one fold; the last half hour of the last day is left out."""
        last = days * MERGES_A_DAY - 1
        self._load([line for window in range(self.windows, last) for line in self._observations(window)])
        self.windows = last
        self.warehouse.merge()
        began = time.monotonic()
        self.warehouse.fold()
        self.fold_seconds = time.monotonic() - began

    def stage(self) -> None:
        """Stage the half hour that is left out: what comes between two merges, late in the day."""
        self._load(list(self._observations(self.windows)))
        self.windows += 1

    def counted(self) -> Load:
        """Count the rows that meet in the merge that is due."""
        name = f"{self.warehouse.dataset}.{self.warehouse.feed.name}"
        sql = (
            f"SELECT (SELECT COUNT(*) FROM {name}_staging) AS staged, (SELECT COUNT(*) FROM {name}_current) AS current,"  # noqa: S608
            f" (SELECT COUNT(*) FROM {name}_history WHERE TIMESTAMP_TRUNC(feed_minute, DAY) IN"
            f" (SELECT TIMESTAMP_TRUNC(feed_minute, DAY) FROM {name}_staging)) AS `partition`"
        )
        [row] = self.warehouse.run(sql)
        return Load(**row)

    def merge(self) -> tuple[float, int]:
        """Merge, and return how long it took, and the rows that it inserted into recent."""
        before, began = self._recent(), time.monotonic()
        self.warehouse.merge()
        return time.monotonic() - began, self._recent() - before

    def _recent(self) -> int:
        [(rows,)] = self.warehouse.read(f"{self.warehouse.feed.name}_recent", "COUNT(*)")
        return int(rows)

    def _observations(self, window: int) -> Iterator[str]:
        """Yield the lines between two merges: each is about an id seen before, or about a new one."""
        draw = random.Random(f"{self.warehouse.feed.name}/{window}")  # noqa: S311
        minute = FIRST_DAY + timedelta(minutes=30 * window)
        for number in range(self.lines_a_day // MERGES_A_DAY):
            known = draw.randint(1, self.ids + 1) if draw.random() < SEEN_BEFORE else self.ids + 1
            self.ids = max(self.ids, known)
            yield framed(self.warehouse.feed, minute, number + 1, {"id": f"host-{known}", "attributes": {}})

    def _load(self, lines: Sequence[str]) -> None:
        name = f"bench/{uuid4().hex}.ndjson.gz"
        assert self.warehouse.bucket.create(name, gzip.compress("".join(lines).encode(), 1), "application/gzip")
        job = LoadJob(f"bench-{uuid4().hex}", self.warehouse.feed, self.warehouse.bucket.uri(name))
        assert self.warehouse.staging.begin(job)
        assert self.warehouse.staging.end(job, seconds=300).state == "done"


def measure_widths(warehouse: Warehouse, object_bytes: float) -> Widths:
    """Measure the columns of newest versions as the simulator's lines fill them; the object's width is given."""
    feed = warehouse.feed
    package = Package("7", feed.name, FIRST_DAY - timedelta(days=1), SAMPLE_LINES)
    warehouse.load(warehouse.land(package.minute, *(json.loads(line) for line in package.lines_as_bytes())))
    warehouse.merge()
    rows = warehouse.run(f"SELECT * FROM {warehouse.dataset}.{feed.name}_current")  # noqa: S608
    return Widths(
        id=_average(rows, [("id", "STRING")]),
        object=object_bytes,
        current=_average(rows, _columns(feed)),
        version=_average(rows, [(name, "TIMESTAMP") for name in feed.version]),
    )


def _columns(feed: Feed) -> list[tuple[str, str]]:
    headline = [(column.name, column.type.removeprefix("ARRAY<").removesuffix(">")) for column in feed.headline]
    return [("id", "STRING"), ("feed_minute", "TIMESTAMP"), ("feed_line", "INT64"), *headline]


def _average(rows: Sequence[dict[str, Any]], columns: Sequence[tuple[str, str]]) -> float:
    return sum(size(row[name], kind) for row in rows for name, kind in columns) / len(rows)


def scaled(counted: Load, archive: Archive, lines_a_day: float) -> Load:
    """Return the rows that a feed of so many lines a day would have."""
    factor = lines_a_day / archive.lines_a_day
    names = ("staged", "partition", "current", "inserted")
    return Load(*(getattr(counted, name) * factor for name in names))
