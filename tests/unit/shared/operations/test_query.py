"""The requests to BigQuery before and during a statement, and the handling of its errors."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Forbidden, GoogleAPICallError, NotFound, ServiceUnavailable
from google.cloud import bigquery

from shared.contracts.outcomes import Retryable
from shared.operations.query import Estimate, QueryRefused, UserQuery
from shared.runtime.settings import MeshSettings

READS = Estimate("SELECT", 2_000)


@dataclass
class Rows:
    """The rows of a job, which may break off."""

    found: list[dict[str, object]]
    breaks: Exception | None = None
    schema: tuple[bigquery.SchemaField, ...] = (bigquery.SchemaField("n", "INTEGER"),)
    total_rows: int = 3

    def __iter__(self) -> Iterator[dict[str, object]]:
        """Return the rows."""
        yield from self.found
        if self.breaks:
            raise self.breaks


@dataclass
class Job:
    """A job that ends as configured."""

    ends: Any
    cancelled: bool = False
    statement_type: str = "SELECT"
    total_bytes_processed: int = 2_000
    num_dml_affected_rows: int | None = None

    def result(self, **_: object) -> Rows:
        """Wait."""
        if isinstance(self.ends, BaseException):
            raise self.ends
        assert isinstance(self.ends, Rows)
        return self.ends

    def cancel(self, **_: object) -> None:
        """End the job."""
        self.cancelled = True


@dataclass
class Client:
    """A BigQuery that starts one job, or refuses it."""

    job: Job = field(default_factory=lambda: Job(Rows([])))
    refuses: Exception | None = None
    begun: list[bigquery.QueryJobConfig] = field(default_factory=list)

    def query(self, _sql: str, job_config: bigquery.QueryJobConfig, **_: object) -> Job:
        """Start a job."""
        self.begun.append(job_config)
        if self.refuses:
            raise self.refuses
        return self.job


def question(client: Client, **settings: str) -> UserQuery:
    """Return a query for a mesh in the cloud."""
    given = {"GCP_PROJECT": "p", "LANDING_BUCKET": "b", "BQ_DATASET": "vt", "FEEDS": "domains,urls", **settings}
    return UserQuery(client, MeshSettings.model_validate(given), "SELECT n", 60)  # type: ignore[arg-type]


def api_error(kind: type[GoogleAPICallError], text: str) -> GoogleAPICallError:
    """Return an error as the client raises it."""
    return kind("GET https://…: " + text, errors=[{"message": text}])


def test_a_dry_run_tells_the_bytes_and_bills_nothing() -> None:
    """Dry run and run use the mesh's dataset for tables without one."""
    client = Client()
    assert question(client).estimate == READS
    [config] = client.begun
    assert config.dry_run
    assert str(config.default_dataset) == "p.vt"


def test_nothing_is_known_of_a_scripts_bytes() -> None:
    """BigQuery reports 0, which must not be shown as a price."""
    assert question(Client(Job(Rows([]), statement_type="SCRIPT", total_bytes_processed=0))).estimate.bytes is None


def test_only_the_cloud_bills() -> None:
    """The emulator is free."""
    assert question(Client()).billed
    assert not question(Client(), BIGQUERY_EMULATOR_HOST="127.0.0.1:1").billed


def test_rows_come_with_their_columns_and_their_number() -> None:
    """The limit of bytes is passed to BigQuery, which enforces it."""
    client = Client(Job(Rows([{"n": 1}, {"n": None}])))
    with question(client).run(5_000) as answer:
        assert [column.name for column in answer.columns] == ["n"]
        assert list(answer.rows) == [(1,), (None,)]
        assert answer.total == 3
    [config] = client.begun
    assert config.maximum_bytes_billed == 5_000
    assert not config.dry_run
    assert str(config.job_timeout_ms) == "60000"


@pytest.mark.parametrize("statement", ["DELETE", "SCRIPT", "CREATE_TABLE_AS_SELECT", "EXPORT_DATA"])
def test_what_may_write_is_refused_unless_told(statement: str) -> None:
    """The error has BigQuery's statement type, and the option that allows it."""
    with pytest.raises(QueryRefused, match=f"this is {statement}, which may write; --write"):
        Estimate(statement, 0).check(write=False, max_bytes=None)
    Estimate(statement, 0).check(write=True, max_bytes=None)


def test_what_is_too_large_is_refused_before_it_runs() -> None:
    """The error has both figures; exactly the limit is allowed."""
    with pytest.raises(QueryRefused, match="would read 2,000 bytes, and 1,999 are allowed"):
        READS.check(write=False, max_bytes=1_999)
    READS.check(write=False, max_bytes=2_000)


def test_a_comment_is_no_question() -> None:
    """A text without a statement is refused."""
    with pytest.raises(QueryRefused, match="no statement"):
        Estimate("", 0).check(write=True, max_bytes=None)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (
            api_error(BadRequest, "Unrecognized name: malicous; Did you mean malicious? at [1:8]"),
            "Unrecognized name: malicous; Did you mean malicious? at [1:8]",
        ),
        (api_error(BadRequest, "No match for\n  operator =\n\nLINE 1: SELECT\n    ^"), "No match for operator ="),
        (api_error(Forbidden, "Access Denied: Table p:vt.domains"), "Access Denied: Table p:vt.domains"),
        (
            api_error(NotFound, "Not found: Table p:vt.x"),
            (
                "Not found: Table p:vt.x; `gti-mesh provision` creates the tables of FEEDS and STREAMS_TO_BIGQUERY"
                " (domains, urls)"
            ),
        ),
    ],
)
def test_an_error_is_one_line_in_bigquerys_words(error: Exception, line: str) -> None:
    """The error can come from the dry run, the run, or a page of rows."""
    for failing in (Client(refuses=error), Client(Job(error)), Client(Job(Rows([{"n": 1}], breaks=error)))):
        with pytest.raises(QueryRefused) as caught, question(failing).run() as answer:
            list(answer.rows)
        assert str(caught.value) == line
    with pytest.raises(QueryRefused):
        _ = question(Client(refuses=error)).estimate


def test_trouble_on_the_way_is_not_the_querys_fault() -> None:
    """A server error is Retryable."""
    with (
        pytest.raises(Retryable, match="BigQuery: try later"),
        question(Client(Job(api_error(ServiceUnavailable, "try later")))).run(),
    ):
        pass


@pytest.mark.parametrize("end", [KeyboardInterrupt(), TimeoutError()])
def test_a_query_that_nobody_waits_for_is_cancelled(end: BaseException) -> None:
    """Ctrl-C and a timeout cancel the job, which would continue and be billed."""
    job = Job(end)
    with pytest.raises((KeyboardInterrupt, Retryable)), question(Client(job)).run():
        pass
    assert job.cancelled


def test_a_query_that_failed_is_not_cancelled() -> None:
    """A failed job has already ended."""
    job = Job(api_error(BadRequest, "x"))
    with pytest.raises(QueryRefused), question(Client(job)).run():
        pass
    assert not job.cancelled


def test_changed_rows_are_counted() -> None:
    """A statement that writes has no rows."""
    job = Job(Rows([], schema=(), total_rows=0), num_dml_affected_rows=7)
    with question(Client(job)).run() as answer:
        assert (answer.changed, answer.columns) == (7, ())
