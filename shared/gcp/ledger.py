"""The ledger in BigQuery: the table `minutes`, written with insertAll, read as the latest state of each minute."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from google.cloud import bigquery

from shared.contracts.dead_letters import dead_letter_type
from shared.contracts.interfaces import LedgerRow, MinuteState, Origin
from shared.contracts.outcomes import Retryable
from shared.gcp.bigquery import RETRY, SECONDS, Parameters, bigquery_errors, run_query
from shared.warehouse.ledger import content_of
from shared.warehouse.rendering import render


class BigQueryLedger:
    """Reads and appends to the ledger of one dataset; both a LedgerReader and a LedgerWriter."""

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self._client = client
        self._dataset = f"{client.project}.{dataset}"

    def states(self, feed: str, first: datetime, last: datetime) -> Sequence[MinuteState]:
        """Return the state of every minute in [first, last] that the ledger knows, oldest first."""
        return [_state(row) for row in self._query("minute_states.sql", feed, first, last)]

    def origin(self, feed: str, first: datetime, last: datetime) -> Origin:
        """Return what the ledger knows of the feed's beginning, from its rows about minutes in [first, last]."""
        [row] = self._query("feed_origin.sql", feed, first, last)
        return Origin(**dict(row.items()))

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Append rows; raise Retryable if a row was refused, Misconfigured if the ledger does not exist."""
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

    def _query(self, file: str, feed: str, first: datetime, last: datetime) -> list[bigquery.Row]:
        return run_query(self._client, *ledger_query(file, self._dataset, feed, first, last))


def ledger_query(file: str, dataset: str, feed: str, first: datetime, last: datetime) -> tuple[str, Parameters]:
    """Return a query about the minutes of a feed in [first, last]; the dataset is `project.dataset`."""
    sql = render(f"shared.warehouse/{file}", dataset=dataset)
    return sql, {"feed": feed, "first_minute": first, "last_minute": last}


def _state(row: bigquery.Row) -> MinuteState:
    known = dict(row.items())
    known["crc32c"] = content_of(known["crc32c"], known.pop("job_id"))
    if known["state"] == "dead":
        known["error_type"] = dead_letter_type(known["error_type"], known["reason"])
    return MinuteState(**known)


def _json(row: LedgerRow) -> dict[str, object]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(row).items()
        if value is not None
    }


def insert_id(row: LedgerRow) -> str:
    """Return the insertId by which BigQuery drops a row sent twice within about a minute: all fields but the time.

    This only saves rows: minute_status uses the newest event of a kind, so duplicates do no harm.
    """
    facts = {name: value for name, value in _json(row).items() if name != "at"}
    return hashlib.sha256(repr(sorted(facts.items())).encode()).hexdigest()
