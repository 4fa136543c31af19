"""Staging in BigQuery: load jobs from Cloud Storage with ids chosen by the mesh.

A job id is used up for good, by failed jobs too: the same id again gets a 409. The client handles a 409 only for
queries, so here the 409 shows that the job exists. A load commits atomically (cloud.google.com/bigquery, jobs).
"""

from datetime import datetime
from functools import cached_property
from typing import Literal

from google.api_core.exceptions import Conflict, GoogleAPICallError, NotFound
from google.api_core.retry import Retry, if_exception_type
from google.cloud import bigquery

from shared.contracts.outcomes import Misconfigured, Retryable
from shared.feeds.definition import Feed
from shared.gcp.bigquery import (
    QUOTA_REASONS,
    RATE_LIMITS,
    RETRY,
    SECONDS,
    bigquery_errors,
    dataset_location,
    run_query,
    schema_fields,
)
from shared.gcp.history import history_days
from shared.warehouse.rendering import render
from shared.warehouse.staging import LinesKept, LoadEnd, LoadJob
from shared.warehouse.tables import OBSERVATION, staging

# Error reasons caused by the data (cloud.google.com/bigquery/docs/error-messages).
_REFUSALS = {"invalid", "notFound"}
_SHOWN_ERRORS = 3
# Retried here, because nothing else in the mesh retries a 404.
_UNTIL_VISIBLE = Retry(predicate=if_exception_type(NotFound), initial=0.5, maximum=5.0, timeout=SECONDS)


class BigQueryStaging:
    """The staging tables of one dataset."""

    def __init__(self, client: bigquery.Client, dataset: str, *, retry: Retry = RETRY) -> None:
        self._client = client
        self._retry = retry
        self._name = dataset
        self._dataset = f"{client.project}.{dataset}"
        self._history_days: dict[str, int | None] = {}

    def begin(self, job: LoadJob) -> bool:
        """Start a load job; return False if a job with this id was started before, whatever its outcome.

        Raises RateLimited if it may not start yet; its id is then still free.
        """
        config = bigquery.LoadJobConfig(
            schema=schema_fields(OBSERVATION),
            source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            max_bad_records=job.bad_records,
            ignore_unknown_values=False,
            labels={"app": "gti-mesh", "component": "loader", "feed": job.feed.name},
        )
        with bigquery_errors():
            try:
                self._client.load_table_from_uri(
                    job.uri,
                    self._table(job.feed),
                    job_id=job.id,
                    location=self._location,
                    job_config=config,
                    retry=self._retry,
                    timeout=SECONDS,
                )
            except Conflict:
                return False
        return True

    def end(self, job: LoadJob, *, seconds: float) -> LoadEnd:
        """Wait for a job and return how it ended; raise Retryable if it still runs after this many seconds."""
        with bigquery_errors():
            # A job that just answered 409 may not be readable yet; that 404 is not about the table.
            running = _UNTIL_VISIBLE(self._client.get_job)(
                job.id, location=self._location, retry=RETRY, timeout=SECONDS
            )
            if not isinstance(running, bigquery.LoadJob):
                raise Misconfigured(f"job {job.id} is not a load job; another program used its id")
            try:
                running.result(retry=RETRY, timeout=max(seconds, 0.0))
            except TimeoutError:
                raise Retryable(f"load job {job.id} still runs after {seconds:.0f} s") from None
            except GoogleAPICallError:
                if running.error_result is None:
                    raise
            end = _end(running)
            if end.state == "refused":
                # A missing table is also reported as invalid, but is not an error in the data.
                self._client.get_table(self._table(job.feed), retry=RETRY, timeout=SECONDS)
        return end

    def lines_kept(self, feed: Feed, minute: datetime) -> LinesKept:
        """Return the line numbers of a minute that are in the warehouse."""
        sql = render("shared.warehouse/lines_kept.sql", dataset=self._dataset, feed=feed)
        rows = run_query(self._client, sql, {"minute": minute})
        return LinesKept(
            all=frozenset(row["feed_line"] for row in rows),
            merged=frozenset(row["feed_line"] for row in rows if row["merged"]),
        )

    def _table(self, feed: Feed) -> str:
        return f"{self._dataset}.{staging(feed).name}"

    def history_days(self, feed: Feed) -> int | None:
        """Return the partition expiry of history in days; None if it never expires."""
        if feed.name not in self._history_days:
            self._history_days[feed.name] = history_days(self._client, self._dataset, feed)
        return self._history_days[feed.name]

    @cached_property
    def _location(self) -> str | None:
        return dataset_location(self._client, self._name)


def _end(job: bigquery.LoadJob) -> LoadEnd:
    messages = dict.fromkeys(str(error.get("message")) for error in [job.error_result, *(job.errors or [])] if error)
    message = "; ".join(list(messages)[:_SHOWN_ERRORS])
    if job.error_result is None:
        return LoadEnd("done", message)
    reason = job.error_result.get("reason")
    state: Literal["refused", "limited", "failed"] = "failed"
    if reason in _REFUSALS:
        state = "refused"
    elif reason in RATE_LIMITS:
        state = "limited"
    return LoadEnd(state, message, quota=reason in QUOTA_REASONS)
