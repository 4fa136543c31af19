"""Move the rows of an earlier version's table `<feed>_current` into base, and put the view in its place.

Every step can be interrupted and run again. Until the last one there is no fence, so a merger of this version fails
before it changes anything; one of an earlier version fails once the table is gone. Staging fills up meanwhile. Rows
that an earlier merger wrote into the table after the snapshot are in history, and are copied into recent from there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from google.cloud import bigquery

from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import Feed
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors, dataset_location, run_query
from shared.warehouse.provision import current_is_a_table, move_is_open, provision_feed
from shared.warehouse.rendering import render
from shared.warehouse.tables import Column, base

# The longest that BigQuery lets a job run.
_SECONDS = 6 * 3600.0
# Once to fill base, and twice to compare the two.
_TIMES_READ = 3
_STAMP = "%Y%m%d_%H%M%S_%f"
# A merge writes the ledger before it commits, at most a run of the merger earlier.
_LONGEST_MERGE = timedelta(hours=1)


@dataclass(frozen=True)
class CurrentMove:
    """The move of one feed of a dataset."""

    warehouse: bigquery.Client
    dataset: str
    feed: Feed
    history_expiry_days: int | None = None
    now: Callable[[], datetime] = field(default=utc_now)

    def plan(self) -> list[str]:
        """Return what the move will do and bill; empty if the table is gone already."""
        with bigquery_errors():
            if not current_is_a_table(self.warehouse, self.dataset, self.feed):
                return []
            table = self.warehouse.get_table(self._path(self._current), retry=RETRY, timeout=SECONDS)
        billed = _TIMES_READ * (table.num_bytes or 0) / 1e9
        lost = sorted({column.name for column in table.schema} - {column.name for column in base(self.feed).columns})
        return [
            "nothing is merged until the move is complete; what is loaded waits in staging",
            f"1. create {self.feed.name}_recent and {self._base}",
            f"2. take a snapshot of {self._current}, which stays",
            f"3. write its rows into {self._base}, and compare both ways",
            f"4. drop the table {self._current}",
            "5. insert what was merged since the hour before the snapshot, from history",
            f"6. create {self.feed.name}_fence and the view {self._current}",
            f"BigQuery bills about {billed:,.1f} GB: the table is read {_TIMES_READ} times",
            *(f"column {name} is not in {self.feed.name}.yaml and stays in the snapshot only" for name in lost),
        ]

    def run(self) -> Iterator[str]:
        """Do what is left to do, and yield each step; raise Misconfigured if base does not equal the snapshot."""
        with bigquery_errors():
            if current_is_a_table(self.warehouse, self.dataset, self.feed):
                yield from self._provision(moved=False)
                yield from self._move(f"{self._current}_{self.now():{_STAMP}}")
            if move_is_open(self.warehouse, self.dataset, self.feed):
                yield from self._catch_up()
            yield from self._provision(moved=True)
        yield f"{self._current} is a view of {self.feed.name}_recent and {self._base}"

    def _provision(self, *, moved: bool) -> Iterator[str]:
        yield from provision_feed(self.warehouse, self.dataset, self.feed, self.history_expiry_days, moved=moved)

    def _move(self, snapshot: str) -> Iterator[str]:
        self._query(f"CREATE SNAPSHOT TABLE `{self._path(snapshot)}` CLONE `{self._path(self._current)}`")
        yield f"took the snapshot {snapshot}"
        sql, columns = "shared.warehouse/move_to_base.sql", self._columns()
        self._query(render(sql, dataset=self._path(), feed=self.feed, source=snapshot, columns=columns))
        yield f"wrote {self._base}"
        if different := self._different_rows(snapshot, columns):
            raise Misconfigured(
                f"{self._base} and {snapshot} differ in {different} rows; nothing was dropped; run the command again"
            )
        yield f"{self._base} has every row of the snapshot, and no other"
        self._query(f"DROP TABLE `{self._path(self._current)}`")
        yield f"dropped the table {self._current}"

    def _columns(self) -> tuple[Column, ...]:
        """Return the columns that the table and base have in common, without the id."""
        table = self.warehouse.get_table(self._path(self._current), retry=RETRY, timeout=SECONDS)
        known = {column.name for column in table.schema} - {"id"}
        return tuple(column for column in base(self.feed).columns if column.name in known)

    def _different_rows(self, snapshot: str, columns: tuple[Column, ...]) -> int:
        names = {"dataset": self._path(), "first": snapshot, "second": self._base, "columns": columns}
        [row] = self._query(render("shared.warehouse/different_rows.sql", **names))
        return int(row["different_rows"])

    def _catch_up(self) -> Iterator[str]:
        if taken := self._last_snapshot():
            since = taken - _LONGEST_MERGE
            sql = "shared.warehouse/catch_up.sql"
            self._query(render(sql, dataset=self._path(), feed=self.feed, since=f"{since:%Y-%m-%d %H:%M:%S}+00"))
            yield f"inserted what was merged since {since:%Y-%m-%dT%H:%MZ}"

    def _last_snapshot(self) -> datetime | None:
        """Return when the newest snapshot of the move was taken, by its name."""
        prefix = f"{self._current}_"
        tables = self.warehouse.list_tables(self._path(), retry=RETRY, timeout=SECONDS)
        names = [table.table_id for table in tables if table.table_id.startswith(prefix)]
        return max(
            (datetime.strptime(name.removeprefix(prefix), _STAMP).replace(tzinfo=UTC) for name in names), default=None
        )

    def _query(self, sql: str) -> list[bigquery.Row]:
        location = dataset_location(self.warehouse, self.dataset)
        return run_query(self.warehouse, sql, seconds=_SECONDS, location=location)

    @property
    def _current(self) -> str:
        return f"{self.feed.name}_current"

    @property
    def _base(self) -> str:
        return base(self.feed).name

    def _path(self, name: str = "") -> str:
        return ".".join(part for part in (self.warehouse.project, self.dataset, name) if part)
