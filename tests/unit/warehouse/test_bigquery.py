"""What BigQuery's answers mean, also those that the emulator never gives."""

from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, GoogleAPICallError, NotFound, RetryError
from google.cloud import bigquery
from requests.exceptions import ConnectionError as NoConnection

from shared.feeds.definition import find_feed
from shared.gcp.bigquery import bigquery_client, bigquery_errors
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.staging import BigQueryStaging
from shared.outcomes import Misconfigured, Retryable
from shared.ports import LedgerRow
from shared.settings import MeshSettings
from shared.warehouse.errors import ConcurrentUpdate
from shared.warehouse.staging import LoadEnd, LoadJob
from tests.doubles import NOON

JOB = LoadJob("gti-mesh-1", find_feed("domains"), "gs://landing/x.ndjson.gz", bad_records=3)


def answer(kind: type[GoogleAPICallError], message: str, said: str = "") -> GoogleAPICallError:
    """Return an error as the client raises it, with what the server said inside."""
    return kind(message, errors=[{"message": said}] if said else ())


@pytest.mark.parametrize(
    ("raised", "meaning", "text"),
    [
        (answer(NotFound, "x", "Not found: Table p:d.t"), Misconfigured, "Table p:d.t; run `gti-mesh"),
        (answer(BadRequest, "Transaction is aborted due to concurrent update against t"), ConcurrentUpdate, "aborted"),
        (answer(BadRequest, "Could not serialize access to table t"), ConcurrentUpdate, "serialize"),
        (answer(BadRequest, "Query exceeded limit for bytes billed"), Retryable, "bytes billed"),
        (answer(Forbidden, "Quota exceeded"), Retryable, "Quota exceeded"),
        (RetryError("deadline exceeded", NoConnection()), Retryable, "deadline"),  # type: ignore[no-untyped-call]
        (NoConnection("refused"), Retryable, "refused"),
        (TimeoutError("slow"), Retryable, "slow"),
    ],
)
def test_what_is_missing_needs_an_operator_and_all_else_another_try(
    raised: Exception, meaning: type[Exception], text: str
) -> None:
    """Only a concurrent update has a name of its own: it may be tried again at once."""
    with pytest.raises(meaning, match=text) as caught, bigquery_errors():
        raise raised
    assert type(caught.value) is meaning


@pytest.mark.parametrize("address", ["127.0.0.1:9050", "http://127.0.0.1:9050"])
def test_an_emulators_address_may_lack_its_scheme(address: str) -> None:
    """Google's own variable is read both ways by Google's own clients."""
    client = bigquery_client(
        MeshSettings.model_validate({"GCP_PROJECT": "p", "LANDING_BUCKET": "b", "BIGQUERY_EMULATOR_HOST": address})
    )
    assert client._connection.API_BASE_URL == "http://127.0.0.1:9050"


class LoadClient:
    """A client in a region, whose one job has begun before or begins now, and ends as it is told to."""

    project = "p"

    def __init__(self, job: bigquery.LoadJob | None = None, *, taken: bool = False) -> None:
        self.job = job
        self.taken = taken
        self.begun: dict[str, Any] = {}

    def get_dataset(self, *_: object, **__: object) -> SimpleNamespace:
        """Return a dataset outside the US and the EU."""
        return SimpleNamespace(location="europe-west6")

    def load_table_from_uri(self, uri: str, table: str, **options: Any) -> None:
        """Begin a job, or answer 409."""
        if self.taken:
            raise answer(Conflict, "Already Exists: Job p:europe-west6.gti-mesh-1")
        self.begun = {"uri": uri, "table": table, **options}

    def get_job(self, job_id: str, *, location: str, **_: object) -> bigquery.LoadJob | None:
        """Find the job where it runs."""
        assert (job_id, location) == (JOB.id, "europe-west6")
        return self.job

    def get_table(self, *_: object, **__: object) -> None:
        """Find the table."""


class EndedJob(bigquery.LoadJob):
    """A load job that has ended, or has not in time."""

    def __init__(self, error: dict[str, str] | None = None, raises: Exception | None = None) -> None:
        super().__init__(JOB.id, None, None, SimpleNamespace(project="p", location=None))  # type: ignore[no-untyped-call]
        self._properties["status"] = {"state": "DONE", "errorResult": error, "errors": [error] if error else None}
        self._raises = raises or (answer(BadRequest, "x") if error else None)

    def result(self, *_: object, **__: object) -> Any:
        """Wait."""
        if self._raises:
            raise self._raises
        return self


def staging(client: LoadClient) -> BigQueryStaging:
    """Return staging behind a client double."""
    return BigQueryStaging(client, "d")  # type: ignore[arg-type]


def test_an_id_that_is_taken_does_not_begin() -> None:
    """409 is the answer to a question, not an error."""
    assert not staging(LoadClient(taken=True)).begin(JOB)


def test_a_load_takes_no_liberties() -> None:
    """Explicit schema, append only, nothing created, nothing ignored, and no more bad lines than allowed."""
    client = LoadClient()
    assert staging(client).begin(JOB)
    config = client.begun.pop("job_config")
    assert client.begun["table"] == "p.d.domains_staging"
    assert client.begun["location"] == "europe-west6"
    assert [(field.name, field.field_type) for field in config.schema] == [
        ("feed_minute", "TIMESTAMP"),
        ("feed_line", "INT64"),
        ("id", "STRING"),
        ("object", "JSON"),
    ]
    assert (config.write_disposition, config.create_disposition) == ("WRITE_APPEND", "CREATE_NEVER")
    assert (config.max_bad_records, config.ignore_unknown_values, config.autodetect) == (3, False, None)


@pytest.mark.parametrize(
    ("reason", "state"),
    [("invalid", "refused"), ("notFound", "refused"), ("backendError", "failed"), ("quotaExceeded", "failed")],
)
def test_a_job_that_failed_says_whether_it_was_the_data(reason: str, state: Any) -> None:
    """By BigQuery's reason; the message goes on."""
    client = LoadClient(EndedJob({"reason": reason, "message": "why"}))
    assert staging(client).end(JOB, seconds=9) == LoadEnd(state, "why")


def test_a_job_that_succeeded_is_done() -> None:
    """Without a message."""
    assert staging(LoadClient(EndedJob())).end(JOB, seconds=9) == LoadEnd("done")


@pytest.mark.parametrize("raised", [TimeoutError(), NoConnection("gone"), answer(Forbidden, "rate")])
def test_a_job_whose_end_is_not_known_is_asked_again_later(raised: Exception) -> None:
    """Too slow, or the question failed: neither says anything about the data."""
    with pytest.raises(Retryable):
        staging(LoadClient(EndedJob(raises=raised))).end(JOB, seconds=9)


class RefusingClient:
    """A client whose insertAll takes some rows and refuses others."""

    project = "p"

    def insert_rows_json(self, *_: object, **__: object) -> list[dict[str, object]]:
        """Refuse the second row."""
        return [{"index": 1, "errors": [{"reason": "invalid", "message": "no such field: x"}]}]


def test_a_row_that_the_ledger_refuses_is_an_error() -> None:
    """insertAll answers 200 all the same."""
    ledger = BigQueryLedger(RefusingClient(), "d")  # type: ignore[arg-type]
    with pytest.raises(Retryable, match="no such field: x"):
        ledger.record([LedgerRow("dead", NOON), LedgerRow("dead", NOON)])
