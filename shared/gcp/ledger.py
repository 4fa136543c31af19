"""The ledger in BigQuery: the table `minutes`, appended to by insertAll and read through the view `minute_status`."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from google.cloud import bigquery

from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors, run_query
from shared.outcomes import Retryable
from shared.ports import LedgerRow, MinuteState
from shared.warehouse.rendering import render


class BigQueryLedger:
    """Reads and appends to the ledger of one dataset; both a LedgerReader and a LedgerWriter."""

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self._client = client
        self._dataset = f"{client.project}.{dataset}"

    def states(self, feed: str, first: datetime, last: datetime) -> Sequence[MinuteState]:
        """Return the state of every minute in [first, last] that the ledger knows, oldest first."""
        sql = render("shared.warehouse/minute_states.sql", dataset=self._dataset)
        bounds: dict[str, tuple[str, str | datetime]] = {
            "feed": ("STRING", feed),
            "first_minute": ("TIMESTAMP", first),
            "last_minute": ("TIMESTAMP", last),
        }
        with bigquery_errors():
            return [MinuteState(**dict(row.items())) for row in run_query(self._client, sql, bounds)]

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Append rows; raise Retryable when one was refused, Misconfigured when there is no ledger."""
        with bigquery_errors():
            refused = self._client.insert_rows_json(
                f"{self._dataset}.minutes",
                [_json(row) for row in rows],
                row_ids=[insert_id(row) for row in rows],
                retry=RETRY,
                timeout=SECONDS,
            )
        if refused:
            raise Retryable(f"the ledger refused rows: {refused}")


def _json(row: LedgerRow) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(row).items()
        if value is not None
    }


def insert_id(row: LedgerRow) -> str:
    """Return the id by which BigQuery drops a row sent twice within about a minute: everything but the time of day.

    It saves rows and nothing rests on it: minute_status counts the newest event of a kind, however often it is there.
    """
    facts = {name: value for name, value in _json(row).items() if name != "at"}
    return hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()
