"""The tables of newest versions: recent, base and the fence between merges and folds, and whether they agree."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.minutes import format_minute
from shared.feeds.definition import Feed
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.operations.accounts import EVER
from shared.operations.findings import Finding
from shared.operations.health import FOLD_OLD_HOURS, is_fold_overdue
from shared.operations.mesh import Mesh
from shared.warehouse.provision import move_command, move_is_open
from shared.warehouse.rendering import render


@dataclass(frozen=True)
class VersionTables:
    """The contents of the tables.

    `old_rows` are those of recent that folds could have taken for hours, `oldest` is the earliest merge in recent, and
    a generation the hour that identifies a fold.
    """

    feed: str
    base_rows: int
    base_ids: int
    generations: int
    generation: datetime | None
    old_rows: int
    oldest: datetime | None
    future_rows: int
    fence_rows: int
    fence_generation: datetime | None

    def findings(self) -> Iterator[Finding]:
        """Yield what is wrong with them, each with the command that repairs it."""
        fold = f"gti-mesh fold {self.feed}"
        if self.base_rows != self.base_ids:
            yield Finding(f"base has {self.base_rows} rows for {self.base_ids} ids", fold)
        if self.generations > 1:
            yield Finding(f"base has {self.generations} generations", fold)
        if self.fence_rows != 1:
            yield Finding(f"the fence has {self.fence_rows} rows and must have 1", "gti-mesh provision")
        elif self.fence_generation != (self.generation or EVER):
            generations = f"generation {_hour(self.generation)}, the fence {_hour(self.fence_generation)}"
            yield Finding(f"base has {generations}", fold)
        if self.future_rows:
            yield Finding(f"{self.future_rows} rows of recent were merged in the future", f"{fold} --all")
        if is_fold_overdue(self.old_rows, self.base_rows):
            rows = f"{self.old_rows} rows that wait for a fold, the oldest since {_hour(self.oldest)}"
            yield Finding(f"recent has {rows}, and base has {self.base_rows}", fold)


def read_version_tables(mesh: Mesh, feed: Feed) -> VersionTables:
    """Read a feed's tables of versions."""
    [row] = run_query(mesh.warehouse, _statement(mesh, feed))
    return VersionTables(feed.name, **dict(row.items()))


def version_statements(mesh: Mesh, feed: Feed) -> list[str]:
    """Return the queries of version_findings()."""
    return [] if _is_unmoved(mesh, feed) else [_statement(mesh, feed)]


def version_findings(mesh: Mesh, feed: Feed) -> Iterator[Finding]:
    """Yield what is wrong with a feed's tables of versions; an open move from an earlier version is one finding."""
    if _is_unmoved(mesh, feed):
        yield Finding(f"{feed.name}_current is of an earlier version", move_command(feed))
    else:
        yield from read_version_tables(mesh, feed).findings()


def _statement(mesh: Mesh, feed: Feed) -> str:
    return render("shared.operations/version_tables.sql", dataset=mesh.dataset, feed=feed, old_hours=FOLD_OLD_HOURS)


def _is_unmoved(mesh: Mesh, feed: Feed) -> bool:
    with bigquery_errors():
        return move_is_open(mesh.warehouse, mesh.settings.dataset, feed)


def _hour(moment: datetime | None) -> str:
    return format_minute(moment.replace(second=0, microsecond=0)) if moment else "none"
