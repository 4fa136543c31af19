"""History, the archive: how long it keeps a day, and how many rows it has of each minute."""

from collections.abc import Mapping
from datetime import datetime

from google.cloud import bigquery

from shared.feeds.definition import Feed, find_feed
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors, run_query
from shared.warehouse.rendering import render
from shared.warehouse.tables import history

_DAY_MS = 24 * 60 * 60 * 1000


def history_days(client: bigquery.Client, dataset: str, feed: Feed) -> int | None:
    """Return the partition expiry of history in days, or None if it never expires; the dataset is `project.dataset`.

    Replayed minutes that are older would be dropped. Raises Misconfigured if the table does not exist.
    """
    with bigquery_errors():
        table = client.get_table(f"{dataset}.{history(feed).name}", retry=RETRY, timeout=SECONDS)
    partitioning = table.time_partitioning
    return partitioning.expiration_ms // _DAY_MS if partitioning and partitioning.expiration_ms else None


class BigQueryHistory:
    """The history tables of one dataset; a HistoryReader."""

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self._client = client
        self._dataset = f"{client.project}.{dataset}"

    def days(self, feed: str) -> int | None:
        """Return the partition expiry of history in days; None if it never expires."""
        return history_days(self._client, self._dataset, find_feed(feed))

    def rows(self, feed: str, first: datetime, last: datetime) -> Mapping[datetime, int]:
        """Return the number of rows of each minute in [first, last] that has any."""
        sql = render("shared.warehouse/history_rows.sql", dataset=self._dataset, feed=find_feed(feed))
        rows = run_query(self._client, sql, {"first_minute": first, "last_minute": last})
        return {row["minute"]: row["found"] for row in rows}
