"""A warehouse on the emulators: provisioned, filled through the real adapters, and read back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from google.cloud import bigquery

from infra.endpoints import Endpoints
from services.merger.fold import Folder, FoldResult
from services.merger.merge import Merger, MergeResult
from services.merger.transactions import RunSql
from shared.contracts.messages import MinuteLanded
from shared.feeds.definition import Feed, find_feed
from shared.gcp.bigquery import bigquery_client, bigquery_errors, run_query
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.staging import BigQueryStaging
from shared.gcp.storage import StorageBucket, storage_client
from shared.runtime.settings import MeshSettings
from shared.warehouse.provision import provision
from shared.warehouse.staging import LoadEnd, LoadJob
from tests.support.landed import Object, land
from tests.support.waiting import PATIENCE

DOMAINS = find_feed("domains")
# Emulators answer in milliseconds; this is for a machine with other things to do.


@dataclass(frozen=True)
class Warehouse:
    """A dataset, its bucket, and the parts that use them."""

    endpoints: Endpoints
    client: bigquery.Client
    dataset: str
    feed: Feed = DOMAINS

    @property
    def bucket(self) -> StorageBucket:
        """The landing bucket."""
        return StorageBucket(self.endpoints.bucket, storage_client(self.endpoints.project, self.endpoints.storage))

    @property
    def ledger(self) -> BigQueryLedger:
        """The ledger."""
        return BigQueryLedger(self.client, self.dataset)

    @property
    def staging(self) -> BigQueryStaging:
        """The staging tables."""
        return BigQueryStaging(self.client, self.dataset)

    def provision(self, feed: Feed | None = None, history_expiry_days: int | None = None) -> list[str]:
        """Create or update the dataset."""
        return provision(
            warehouse=self.client,
            storage=storage_client(self.endpoints.project, self.endpoints.storage),
            bucket=self.endpoints.bucket,
            dataset=self.dataset,
            feeds=[feed or self.feed],
            history_expiry_days=history_expiry_days,
        )

    def clear(self) -> None:
        """Empty every table but the fence, whose one row stays, and forget the loaded content of each minute."""
        for table in self.client.list_tables(self.dataset, timeout=PATIENCE):
            if table.table_type == "TABLE" and not table.table_id.endswith("_fence"):
                self.run(f"TRUNCATE TABLE {self.dataset}.{table.table_id}")
        sql = f"UPDATE {self.dataset}.{self.feed.name}_fence SET generation = TIMESTAMP_SECONDS(0) WHERE TRUE"  # noqa: S608
        self.run(sql)
        for name in self.bucket.names("state/content/"):
            self.bucket.delete(name)

    def land(self, minute: datetime, *lines: Object | None) -> MinuteLanded:
        """Land a minute in the bucket."""
        return land(self.bucket, self.feed, minute, lines)

    def load(self, landed: MinuteLanded) -> LoadEnd:
        """Load a landed minute in its own job."""
        job = LoadJob(f"test-{uuid4().hex}", self.feed, landed.uri)
        assert self.staging.begin(job)
        return self.staging.end(job, seconds=PATIENCE)

    def merge(self, max_lines: int = 1_000_000) -> MergeResult:
        """Merge what is staged."""
        return merge_now(self.merger(max_lines=max_lines), self.feed)

    def merger(self, run: RunSql | None = None, max_lines: int = 1_000_000) -> Merger:
        """Return a merger of this dataset."""
        return Merger(
            run=run or self.run, dataset=f"{self.endpoints.project}.{self.dataset}", now=_now, max_lines=max_lines
        )

    def fold(self, keep_hours: int = 0) -> FoldResult:
        """Fold what was merged; hours of recent may stay."""
        return self.folder(keep_hours=keep_hours).fold(self.feed, end=_now() + timedelta(seconds=PATIENCE))

    def folder(self, run: RunSql | None = None, min_rows: int = 1, keep_hours: int = 0) -> Folder:
        """Return what folds this dataset."""
        return Folder(
            run=run or self.run,
            dataset=f"{self.endpoints.project}.{self.dataset}",
            now=_now,
            min_rows=min_rows,
            keep_hours=keep_hours,
        )

    def run(self, sql: str, *, seconds: float = PATIENCE) -> list[dict[str, Any]]:
        """Run SQL as the merger does."""
        with bigquery_errors():
            return [dict(row.items()) for row in run_query(self.client, sql, seconds=seconds)]

    def read(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        """Return a table's or view's rows in the order of the first two columns."""
        order = "1, 2" if "," in columns else "1"
        sql = f"SELECT {columns} FROM {self.dataset}.{table} ORDER BY {order}"  # noqa: S608 a test's own words
        return [tuple(row.values()) for row in self.run(sql)]


@contextmanager
def provisioned(endpoints: Endpoints) -> Iterator[Warehouse]:
    """Provision a dataset with a random name for one block."""
    settings = MeshSettings.model_validate(
        {
            "GCP_PROJECT": endpoints.project,
            "LANDING_BUCKET": endpoints.bucket,
            "BIGQUERY_EMULATOR_HOST": endpoints.bigquery,
            "FEEDS": ("domains",),
        }
    )
    client = bigquery_client(settings)
    warehouse = Warehouse(endpoints, client, f"test_{uuid4().hex[:12]}")
    try:
        warehouse.provision()
        yield warehouse
    finally:
        client.delete_dataset(warehouse.dataset, delete_contents=True, not_found_ok=True, timeout=PATIENCE)
        client.close()  # type: ignore[no-untyped-call]


def merge_now(merger: Merger, feed: Feed) -> MergeResult:
    """Merge a feed, with a test's time limit."""
    end = _now() + timedelta(seconds=PATIENCE)
    return merger.merge(feed, turn=end, end=end)


def _now() -> datetime:
    return datetime.now(UTC)


def utc(hour: int, minute: int) -> datetime:
    """Return a feed minute of one fixed day."""
    return datetime(2026, 11, 21, hour, minute, tzinfo=UTC)
