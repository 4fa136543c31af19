"""BigQuery for the doctor's checks: queries, dry runs, load jobs and sessions in a scratch dataset."""

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import cached_property
from typing import Protocol

from google.api_core.exceptions import BadRequest
from google.cloud import bigquery

from infra.doctor.scratch import Scratch
from shared.contracts.outcomes import Misconfigured
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors, first_message

# Longer than a run of the doctor: if the dataset is not removed, its tables expire.
_TABLES_LIVE = timedelta(hours=1)
_JOB_SECONDS = 120.0

Row = Sequence[object]
Run = Callable[[str], list[Row]]


class Probe(Protocol):
    """The operations that checks need; `dataset` is the scratch dataset, written `project.dataset`."""

    @property
    def dataset(self) -> str:
        """The scratch dataset; made at first use."""

    @property
    def location(self) -> str | None:
        """The location of the mesh's dataset, or None if it has none."""

    def run(self, sql: str) -> list[Row]:
        """Run a statement or a script and return the rows of its last statement."""

    def billed(self, sql: str) -> int:
        """Run a query and return the bytes that it billed."""

    def dry_run(self, sql: str) -> int:
        """Return the bytes that a statement would process."""

    def load(self, table: str, lines: bytes) -> None:
        """Append NDJSON to a table of the scratch dataset by a load job; raise LoadRefused if it is refused."""

    def session(self) -> AbstractContextManager[Run]:
        """Open a session, in which several calls share a transaction; at its end what is not committed is undone."""


class LoadRefused(Misconfigured):
    """A load job was refused because of its data."""


class BigQueryProbe:
    """A probe of the real BigQuery."""

    def __init__(self, client: bigquery.Client, mesh_dataset: str, scratch: Scratch) -> None:
        self._client = client
        self._mesh_dataset = mesh_dataset
        self._scratch = scratch

    @cached_property
    def dataset(self) -> str:
        """The scratch dataset, in the location of the mesh's; made at first use."""
        name = f"{self._client.project}.{self._scratch.dataset}"
        made = bigquery.Dataset(name)
        made.location = self.location
        made.default_table_expiration_ms = int(_TABLES_LIVE.total_seconds() * 1000)
        made.labels = {"app": "gti-mesh"}
        self._scratch.remove_later(
            f"dataset {name}", lambda: self._client.delete_dataset(made, delete_contents=True, not_found_ok=True)
        )
        with bigquery_errors():
            self._client.create_dataset(made, retry=RETRY, timeout=SECONDS)
        return name

    @cached_property
    def location(self) -> str | None:
        """The location of the mesh's dataset, or None if it has none."""
        with bigquery_errors():
            found = self._client.get_dataset(self._mesh_dataset, retry=RETRY, timeout=SECONDS)
        return str(found.location) if found.location else None

    def run(self, sql: str) -> list[Row]:
        """Run a statement or a script and return the rows of its last statement."""
        return self._query(sql, bigquery.QueryJobConfig())[0]

    def billed(self, sql: str) -> int:
        """Run a query and return the bytes that it billed."""
        return int(self._query(sql, bigquery.QueryJobConfig(use_query_cache=False))[1].total_bytes_billed or 0)

    def dry_run(self, sql: str) -> int:
        """Return the bytes that a statement would process."""
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        with bigquery_errors():
            job = self._client.query(sql, job_config=config, location=self.location, retry=RETRY, timeout=SECONDS)
        return int(job.total_bytes_processed or 0)

    def load(self, table: str, lines: bytes) -> None:
        """Append NDJSON to a table of the scratch dataset by a load job; raise LoadRefused if it is refused."""
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.NEWLINE_DELIMITED_JSON,
            write_disposition=bigquery.WriteDisposition.WRITE_APPEND,
            create_disposition=bigquery.CreateDisposition.CREATE_NEVER,
            schema=self._client.get_table(f"{self.dataset}.{table}", retry=RETRY, timeout=SECONDS).schema,
        )
        with bigquery_errors():
            job = self._client.load_table_from_file(
                io.BytesIO(lines),
                f"{self.dataset}.{table}",
                job_config=config,
                location=self.location,
                timeout=SECONDS,
            )
            refused = _refusal(job)
        if refused:
            raise LoadRefused(refused)

    @contextmanager
    def session(self) -> Iterator[Run]:
        """Open a session, in which several calls share a transaction; at its end what is not committed is undone."""
        job = self._query("SELECT 1", bigquery.QueryJobConfig(create_session=True))[1]
        session_id = str(job.session_info.session_id) if job.session_info else ""
        properties = [bigquery.ConnectionProperty("session_id", session_id)]

        def run(sql: str) -> list[Row]:
            return self._query(sql, bigquery.QueryJobConfig(connection_properties=properties))[0]

        try:
            yield run
        finally:
            run(f"CALL BQ.ABORT_SESSION('{session_id}')")

    def _query(self, sql: str, config: bigquery.QueryJobConfig) -> tuple[list[Row], bigquery.QueryJob]:
        config.labels = {"app": "gti-mesh"}
        with bigquery_errors():
            job = self._client.query(
                sql, job_config=config, location=self.location, retry=RETRY, job_retry=None, timeout=SECONDS
            )
            rows = job.result(retry=RETRY, job_retry=None, timeout=_JOB_SECONDS)
            return [tuple(row.values()) for row in rows], job


def _refusal(job: bigquery.LoadJob) -> str | None:
    try:
        job.result(retry=RETRY, timeout=_JOB_SECONDS)
    except BadRequest as error:
        return first_message(error)
    return None
