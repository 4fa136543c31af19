"""Fill headline columns of existing rows after a feed's YAML has gained or changed columns."""

from collections.abc import Iterable, Iterator

import stamina
from google.cloud import bigquery

from shared.feeds.definition import Feed
from shared.gcp.bigquery import dataset_location, run_query
from shared.warehouse.errors import ConcurrentUpdate
from shared.warehouse.rendering import render

# It reads the whole archive, and an operator waits for it.
_SECONDS = 6 * 3600.0
_ATTEMPTS = 5


def fill_from_history(warehouse: bigquery.Client, dataset: str, feeds: Iterable[Feed]) -> Iterator[str]:
    """Recompute every headline column, one transaction per feed, and yield what was done. Idempotent.

    A concurrent merge or fold cancels the transaction or is cancelled by it; either is retried.
    """
    location = dataset_location(warehouse, dataset)
    for feed in feeds:
        sql = render("shared.warehouse/fill_from_history.sql", dataset=f"{warehouse.project}.{dataset}", feed=feed)
        for attempt in stamina.retry_context(on=ConcurrentUpdate, attempts=_ATTEMPTS, wait_initial=5.0, timeout=None):
            with attempt:
                run_query(warehouse, sql, seconds=_SECONDS, location=location)
        yield f"filled {feed.name}_base and {feed.name}_recent from history"
