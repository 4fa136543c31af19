"""Run a SQL statement in the warehouse: a dry run for its cost and type, then its rows."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property

from google.api_core.exceptions import ClientError, GoogleAPIError, NotFound
from google.cloud import bigquery
from requests import RequestException

from shared.contracts.outcomes import MeshError
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors, first_message
from shared.runtime.settings import MeshSettings

# BigQuery's name for a statement that only reads (bigquery/docs/reference/rest/v2/Job, statementType).
_READING = "SELECT"
_SCRIPT = "SCRIPT"


class QueryRefused(MeshError):
    """The statement is invalid, or does something that was not allowed."""


@dataclass(frozen=True)
class Estimate:
    """The result of a dry run: BigQuery's statement type, and an upper bound of the bytes read.

    BigQuery bills by these bytes. They are None for a script of several statements.
    """

    statement: str
    bytes: int | None

    def check(self, *, write: bool, max_bytes: int | None) -> None:
        """Raise QueryRefused for a statement that may write (unless `write`) or that reads too much."""
        if not self.statement:
            raise QueryRefused("there is no statement in the query")
        if self.statement != _READING and not write:
            raise QueryRefused(
                f"only SELECT is run, and this is {self.statement}, which may write; --write runs it all the same"
            )
        if max_bytes is not None and self.bytes is not None and self.bytes > max_bytes:
            raise QueryRefused(f"the query would read {self.bytes:,} bytes, and {max_bytes:,} are allowed")


@dataclass(frozen=True)
class QueryResult:
    """The rows of a statement, fetched page by page as they are consumed, and their number."""

    columns: tuple[bigquery.SchemaField, ...]
    total: int
    rows: Iterator[tuple[object, ...]]
    changed: int | None


@dataclass(frozen=True)
class UserQuery:
    """One statement for a mesh's warehouse, with a time limit; the mesh's dataset is the default dataset."""

    client: bigquery.Client
    settings: MeshSettings
    sql: str
    seconds: float

    @property
    def billed(self) -> bool:
        """Whether the bytes are billed: the emulator is free and does not count them."""
        return not self.settings.bigquery_emulator

    @cached_property
    def estimate(self) -> Estimate:
        """The result of a dry run; raises QueryRefused if the statement is invalid."""
        with _query_errors(self.settings):
            job = self._begin(self._config(dry_run=True))
            read = None if job.statement_type == _SCRIPT else job.total_bytes_processed
            return Estimate(job.statement_type or "", read)

    @contextmanager
    def run(self, max_bytes: int | None = None) -> Iterator[QueryResult]:
        """Run the statement; raises QueryRefused with BigQuery's message, also while rows are read.

        An interrupted statement (by Ctrl-C, for example) is cancelled, since it would go on and be billed.
        """
        config = self._config(job_timeout_ms=int(self.seconds * 1000))
        if max_bytes is not None:
            config.maximum_bytes_billed = max_bytes
        with _query_errors(self.settings):
            job = self._begin(config)
            try:
                found = job.result(retry=RETRY, job_retry=None, timeout=self.seconds + SECONDS)
            except (KeyboardInterrupt, TimeoutError, RequestException):
                with suppress(GoogleAPIError, RequestException):
                    job.cancel(retry=None, timeout=SECONDS)
                raise
            rows = (tuple(row.values()) for row in found)
            yield QueryResult(tuple(found.schema), found.total_rows or 0, rows, job.num_dml_affected_rows)

    def _begin(self, config: bigquery.QueryJobConfig) -> bigquery.QueryJob:
        # BigQuery answers at once, the emulator only after the statement has ended.
        timeout = self.seconds + SECONDS
        return self.client.query(self.sql, job_config=config, retry=RETRY, job_retry=None, timeout=timeout)

    def _config(self, **options: object) -> bigquery.QueryJobConfig:
        dataset = f"{self.settings.project}.{self.settings.dataset}"
        return bigquery.QueryJobConfig(default_dataset=dataset, labels={"app": "gti-mesh"}, **options)


@contextmanager
def _query_errors(settings: MeshSettings) -> Iterator[None]:
    with bigquery_errors():
        try:
            yield
        except NotFound as error:
            feeds = ", ".join(settings.feeds) or "none"
            raise QueryRefused(
                f"{_one_line(error)}; `gti-mesh provision` creates the tables of FEEDS and STREAMS_TO_BIGQUERY"
                f" ({feeds})"
            ) from error
        except ClientError as error:
            raise QueryRefused(_one_line(error)) from error


def _one_line(error: ClientError) -> str:
    # After an empty line the message repeats the statement.
    return " ".join(first_message(error).partition("\n\n")[0].split())
