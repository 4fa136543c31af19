"""How many newest versions wait for the next fold, for the status: a reading that costs next to nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import Feed, find_feed
from shared.gcp.bigquery import run_query
from shared.operations.accounts import EVER
from shared.operations.health import FOLD_OLD_HOURS, is_fold_overdue
from shared.operations.mesh import Mesh
from shared.operations.problems import Problem
from shared.warehouse.rendering import render

# BigQuery bills 10 MiB for a fence, however small: a page that is read every ten seconds would bill 85 GB a day.
_KEPT = timedelta(minutes=10)


@dataclass(frozen=True)
class VersionCounts:
    """Rows of recent and base, and the hour that names the last fold; None before the first.

    old_rows are those of recent that folds have left for hours. They are counted only if recent is large enough for
    them to be a problem.
    """

    recent_rows: int
    base_rows: int
    last_fold: datetime | None
    old_rows: int = 0

    @property
    def ratio(self) -> float | None:
        """Rows of recent for each of base; None without a base."""
        return self.recent_rows / self.base_rows if self.base_rows else None

    def problems(self, feed: str) -> Iterator[Problem]:
        """Yield that folds fail."""
        if is_fold_overdue(self.old_rows, self.base_rows):
            yield Problem(
                f"{feed}: {self.old_rows} newest versions wait for a fold, and base has {self.base_rows}",
                f"gti-mesh fold {feed}",
            )

    def report(self) -> dict[str, object]:
        """Return the counts for the JSON report."""
        return {**vars(self), "ratio": None if self.ratio is None else round(self.ratio, 4)}


class VersionCountsReader:
    """Reads the counts of a mesh's feeds, at most once in ten minutes for each."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._kept: dict[str, tuple[datetime, VersionCounts | None]] = {}

    def read(self, feed: str, now: datetime) -> VersionCounts | None:
        """Return a feed's counts, or None if it does not have the tables yet; `gti-mesh audit` says why."""
        read_at, counts = self._kept.get(feed, (None, None))
        if read_at is None or now - read_at >= _KEPT:
            counts = _read(self._mesh, find_feed(feed))
            self._kept[feed] = (now, counts)
        return counts


def _read(mesh: Mesh, feed: Feed) -> VersionCounts | None:
    try:
        [row] = run_query(
            mesh.warehouse, render("shared.operations/version_counts.sql", dataset=mesh.dataset, feed=feed)
        )
    except Misconfigured:
        return None
    recent, base = row["recent_rows"], row["base_rows"]
    # The times of rows are a billed column.
    old = _old_rows(mesh, feed) if is_fold_overdue(recent, base) else 0
    return VersionCounts(recent, base, row["generation"] if row["generation"] != EVER else None, old)


def _old_rows(mesh: Mesh, feed: Feed) -> int:
    sql = render("shared.operations/version_old_rows.sql", dataset=mesh.dataset, feed=feed, old_hours=FOLD_OLD_HOURS)
    [row] = run_query(mesh.warehouse, sql)
    return int(row["old_rows"])
