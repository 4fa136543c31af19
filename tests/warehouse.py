"""A warehouse on the emulators: provisioned, filled through the real adapters, and read back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from google.cloud import bigquery

from infra.local.endpoints import Endpoints
from services.merger.merge import Merged, Merger
from shared.feeds.definition import Feed, find_feed
from shared.gcp.bigquery import bigquery_client, bigquery_errors, run_query
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.staging import BigQueryStaging
from shared.gcp.storage import StorageBucket, storage_client
from shared.messages import MinuteLanded
from shared.settings import MeshSettings
from shared.warehouse.provision import provision
from shared.warehouse.staging import LoadEnd, LoadJob
from tests.landed import Object, land

DOMAINS = find_feed("domains")
# Emulators answer in milliseconds; this is for a machine with other things to do.
PATIENCE = 60.0


@dataclass(frozen=True)
class Warehouse:
    """A dataset, the bucket beside it, and the parts that work on them."""

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
        """Make or mend the dataset."""
        return provision(
            warehouse=self.client,
            storage=storage_client(self.endpoints.project, self.endpoints.storage),
            bucket=self.endpoints.bucket,
            dataset=self.dataset,
            feeds=[feed or self.feed],
            history_expiry_days=history_expiry_days,
        )

    def clear(self) -> None:
        """Empty every table."""
        for table in self.client.list_tables(self.dataset, timeout=PATIENCE):
            if table.table_type == "TABLE":
                self.run(f"TRUNCATE TABLE {self.dataset}.{table.table_id}")

    def land(self, minute: datetime, *lines: Object | None) -> MinuteLanded:
        """Land a minute in the bucket."""
        return land(self.bucket, self.feed, minute, lines)

    def load(self, landed: MinuteLanded) -> LoadEnd:
        """Load a landed minute by a job of its own."""
        job = LoadJob(f"test-{uuid4().hex}", self.feed, landed.uri)
        assert self.staging.begin(job)
        return self.staging.end(job, seconds=PATIENCE)

    def merge(self) -> Merged:
        """Merge what is staged."""
        return self.merger().merge(self.feed)

    def merger(self) -> Merger:
        """Return a merger of this dataset."""
        return Merger(run=self.run, dataset=f"{self.endpoints.project}.{self.dataset}")

    def run(self, sql: str) -> list[dict[str, Any]]:
        """Run SQL as the merger does."""
        with bigquery_errors():
            return [dict(row.items()) for row in run_query(self.client, sql, seconds=PATIENCE)]

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


def utc(hour: int, minute: int) -> datetime:
    """Return a feed minute of one fixed day."""
    return datetime(2026, 11, 21, hour, minute, tzinfo=UTC)
