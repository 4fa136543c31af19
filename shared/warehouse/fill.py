"""Fill headline columns of rows that are there already, after a feed's YAML has gained or changed some."""

from collections.abc import Iterable, Iterator

import stamina
from google.cloud import bigquery

from shared.feeds.definition import Feed
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.warehouse.errors import ConcurrentUpdate
from shared.warehouse.rendering import render

# It reads an archive, and is run by a person who waits for it.
_SECONDS = 6 * 3600.0
_ATTEMPTS = 5


def fill_from_history(warehouse: bigquery.Client, dataset: str, feeds: Iterable[Feed]) -> Iterator[str]:
    """Read every headline column anew, one statement a feed, and yield what was done; again changes nothing.

    A merge that comes in between cancels the statement, or is cancelled by it; either is run again.
    """
    for feed in feeds:
        sql = render("shared.warehouse/fill_from_history.sql", dataset=f"{warehouse.project}.{dataset}", feed=feed)
        for attempt in stamina.retry_context(on=ConcurrentUpdate, attempts=_ATTEMPTS, wait_initial=5.0, timeout=None):
            with attempt, bigquery_errors():
                run_query(warehouse, sql, seconds=_SECONDS)
        yield f"filled {feed.name}_current from history"
