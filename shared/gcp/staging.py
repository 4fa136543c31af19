"""Staging in BigQuery: load jobs from Cloud Storage whose ids are ours.

A job id is taken for good, by failed jobs too: the same id again is a 409. The client resolves a 409 only for
queries, so here it is the answer to a question. A load is committed in one piece (cloud.google.com/bigquery, jobs).
"""

from datetime import datetime
from functools import cached_property

from google.api_core.exceptions import Conflict, GoogleAPICallError
from google.cloud import bigquery

from shared.feeds.definition import Feed
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors, run_query, schema_fields
from shared.outcomes import Misconfigured, Retryable
from shared.warehouse.rendering import render
from shared.warehouse.staging import LinesKept, LoadEnd, LoadJob
from shared.warehouse.tables import OBSERVATION, staging

# Error reasons that are about the data (cloud.google.com/bigquery/docs/error-messages).
_REFUSALS = {"invalid", "notFound"}
_SHOWN_ERRORS = 3


class BigQueryStaging:
    """The staging tables of one dataset."""

    def __init__(self, client: bigquery.Client, dataset: str) -> None:
        self._client = client
        self._dataset = f"{client.project}.{dataset}"

    def begin(self, job: LoadJob) -> bool:
        """Start a load job; return False when a job of this id has been started before, however it went on."""
        config = bigquery.LoadJobConfig(
            schema=schema_fields(OBSERVATION),
            source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            max_bad_records=job.bad_records,
            ignore_unknown_values=False,
            labels={"app": "gti-mesh", "feed": job.feed.name},
        )
        with bigquery_errors():
            try:
                self._client.load_table_from_uri(
                    job.uri,
                    self._table(job.feed),
                    job_id=job.id,
                    location=self._location,
                    job_config=config,
                    retry=RETRY,
                    timeout=SECONDS,
                )
            except Conflict:
                return False
        return True

    def end(self, job: LoadJob, *, seconds: float) -> LoadEnd:
        """Wait for a job and say how it ended; raise Retryable when it runs on after this many seconds."""
        with bigquery_errors():
            running = self._client.get_job(job.id, location=self._location, retry=RETRY, timeout=SECONDS)
            if not isinstance(running, bigquery.LoadJob):
                raise Misconfigured(f"job {job.id} is no load job; its id was taken by somebody else")
            try:
                running.result(retry=RETRY, timeout=max(seconds, 0.0))
            except TimeoutError:
                raise Retryable(f"load job {job.id} runs on after {seconds:.0f} s") from None
            except GoogleAPICallError:
                if running.error_result is None:
                    raise
            end = _end(running)
            if end.state == "refused":
                # A table that is not there is also a refusal, and no fault of the data's.
                self._client.get_table(self._table(job.feed), retry=RETRY, timeout=SECONDS)
        return end

    def lines_kept(self, feed: Feed, minute: datetime) -> LinesKept:
        """Return the lines of a minute that the warehouse holds."""
        sql = render("shared.warehouse/lines_kept.sql", dataset=self._dataset, feed=feed)
        with bigquery_errors():
            rows = run_query(self._client, sql, {"minute": ("TIMESTAMP", minute)})
        return LinesKept(
            all=frozenset(row["feed_line"] for row in rows),
            merged=frozenset(row["feed_line"] for row in rows if row["merged"]),
        )

    def _table(self, feed: Feed) -> str:
        return f"{self._dataset}.{staging(feed).name}"

    @cached_property
    def _location(self) -> str | None:
        # Outside the US and the EU a job is found only where it runs, which is where the dataset lies.
        with bigquery_errors():
            dataset = self._client.get_dataset(self._dataset, retry=RETRY, timeout=SECONDS)
        return str(dataset.location) if dataset.location else None


def _end(job: bigquery.LoadJob) -> LoadEnd:
    said = dict.fromkeys(str(error.get("message")) for error in [job.error_result, *(job.errors or [])] if error)
    message = "; ".join(list(said)[:_SHOWN_ERRORS])
    if job.error_result is None:
        return LoadEnd("done", message)
    return LoadEnd("refused" if job.error_result.get("reason") in _REFUSALS else "failed", message)
