"""The meaning of BigQuery's responses, including those that the emulator never sends."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, Forbidden, GoogleAPICallError, NotFound, RetryError
from google.cloud import bigquery
from requests.exceptions import ConnectionError as NoConnection

from shared.contracts.interfaces import LedgerRow
from shared.contracts.outcomes import Misconfigured, Retryable
from shared.feeds.definition import find_feed
from shared.gcp.bigquery import bigquery_client, bigquery_errors
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.staging import BigQueryStaging
from shared.runtime.settings import MeshSettings
from shared.warehouse.errors import ConcurrentUpdate, RateLimited
from shared.warehouse.staging import LoadEnd, LoadJob
from tests.support.doubles import NOON
from tests.support.paths import REPOSITORY

JOB = LoadJob("gti-mesh-1", find_feed("domains"), "gs://landing/x.ndjson.gz", bad_records=3)


def answer(kind: type[GoogleAPICallError], message: str, detail: str = "") -> GoogleAPICallError:
    """Return an error as the client raises it, with the server's message inside."""
    return kind(message, errors=[{"message": detail}] if detail else ())


TOO_FAST = Forbidden("x", errors=[{"reason": "rateLimitExceeded", "message": "too fast"}])  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    ("raised", "meaning", "text"),
    [
        (answer(NotFound, "x", "Not found: Table p:d.t"), Misconfigured, "Table p:d.t; run `gti-mesh"),
        (answer(BadRequest, "Transaction is aborted due to concurrent update against t"), ConcurrentUpdate, "aborted"),
        (answer(BadRequest, "Could not serialize access to table t"), ConcurrentUpdate, "serialize"),
        (answer(BadRequest, "Query exceeded limit for bytes billed"), Retryable, "bytes billed"),
        (answer(Forbidden, "Quota exceeded"), Retryable, "Quota exceeded"),
        (TOO_FAST, RateLimited, "too fast"),
        (
            answer(BadRequest, "Query error: Exceeded rate limits: too many table update operations"),
            RateLimited,
            "rate",
        ),
        (RetryError("30 s", TOO_FAST), RateLimited, "too fast"),  # type: ignore[no-untyped-call]
        (RetryError("deadline exceeded", NoConnection()), Retryable, "deadline"),  # type: ignore[no-untyped-call]
        (NoConnection("refused"), Retryable, "refused"),
        (TimeoutError("slow"), Retryable, "slow"),
    ],
)
def test_what_is_missing_needs_an_operator_and_all_else_another_try(
    raised: Exception, meaning: type[Exception], text: str
) -> None:
    """Only a concurrent update has its own error: it may be retried at once."""
    with pytest.raises(meaning, match=text) as caught, bigquery_errors():
        raise raised
    assert type(caught.value) is meaning


@pytest.mark.parametrize("address", ["127.0.0.1:9050", "http://127.0.0.1:9050"])
def test_an_emulators_address_may_lack_its_scheme(address: str) -> None:
    """Google's clients accept the variable with and without a scheme."""
    client = bigquery_client(
        MeshSettings.model_validate({"GCP_PROJECT": "p", "LANDING_BUCKET": "b", "BIGQUERY_EMULATOR_HOST": address})
    )
    assert client._connection.API_BASE_URL == "http://127.0.0.1:9050"


class LoadClient:
    """A client in a region, whose single job exists or is new, and ends as configured."""

    project = "p"

    def __init__(self, job: bigquery.LoadJob | None = None, *, taken: bool = False) -> None:
        self.job = job
        self.taken = taken
        self.unseen = 0
        self.begun: dict[str, Any] = {}

    def get_dataset(self, *_: object, **__: object) -> SimpleNamespace:
        """Return a dataset outside the US and the EU."""
        return SimpleNamespace(location="europe-west6")

    def load_table_from_uri(self, uri: str, table: str, **options: Any) -> None:
        """Start a job, or raise a 409."""
        if self.taken:
            raise answer(Conflict, "Already Exists: Job p:europe-west6.gti-mesh-1")
        self.begun = {"uri": uri, "table": table, **options}

    def get_job(self, job_id: str, *, location: str, **_: object) -> bigquery.LoadJob | None:
        """Find the job in its region, after some 404s."""
        assert (job_id, location) == (JOB.id, "europe-west6")
        if self.unseen:
            self.unseen -= 1
            raise answer(NotFound, "Not found: Job p:europe-west6.gti-mesh-1")
        return self.job

    def get_table(self, *_: object, **__: object) -> None:
        """Find the table."""


class EndedJob(bigquery.LoadJob):
    """A load job that has ended, or has not ended in time."""

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
    """Return staging with a fake client."""
    return BigQueryStaging(client, "d")  # type: ignore[arg-type]


def test_an_id_that_is_taken_does_not_begin() -> None:
    """A 409 means that the id was used; it is not an error."""
    assert not staging(LoadClient(taken=True)).begin(JOB)


def test_a_job_that_cannot_be_seen_yet_is_asked_for_again() -> None:
    """A 404 right after a 409 is not about tables, and does not suggest provisioning."""
    client = LoadClient(EndedJob(), taken=True)
    client.unseen = 2
    assert staging(client).end(JOB, seconds=9) == LoadEnd("done")


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
    [
        ("invalid", "refused"),
        ("notFound", "refused"),
        ("backendError", "failed"),
        ("quotaExceeded", "failed"),
        ("rateLimitExceeded", "limited"),
    ],
)
def test_a_job_that_failed_says_whether_it_was_the_data(reason: str, state: Any) -> None:
    """BigQuery's reason decides; the message is passed on."""
    client = LoadClient(EndedJob({"reason": reason, "message": "why"}))
    assert staging(client).end(JOB, seconds=9) == LoadEnd(
        state, "why", quota=reason in ("quotaExceeded", "rateLimitExceeded")
    )


def test_a_job_that_succeeded_is_done() -> None:
    """A successful job has no message."""
    assert staging(LoadClient(EndedJob())).end(JOB, seconds=9) == LoadEnd("done")


@pytest.mark.parametrize("raised", [TimeoutError(), NoConnection("gone"), answer(Forbidden, "rate")])
def test_a_job_whose_end_is_not_known_is_asked_again_later(raised: Exception) -> None:
    """A slow job or a failed request says nothing about the data."""
    with pytest.raises(Retryable):
        staging(LoadClient(EndedJob(raises=raised))).end(JOB, seconds=9)


class RefusingClient:
    """A client whose insertAll accepts some rows and refuses others."""

    project = "p"

    def insert_rows_json(self, *_: object, **__: object) -> list[dict[str, object]]:
        """Refuse the second row."""
        return [{"index": 1, "errors": [{"reason": "invalid", "message": "no such field: x"}]}]


def test_a_row_that_the_ledger_refuses_is_an_error() -> None:
    """insertAll returns 200 even so."""
    ledger = BigQueryLedger(RefusingClient(), "d")  # type: ignore[arg-type]
    with pytest.raises(Retryable, match="no such field: x"):
        ledger.record([LedgerRow("dead", NOON), LedgerRow("dead", NOON)])


def test_every_script_runs_in_the_location_of_its_dataset() -> None:
    """BigQuery infers the location of a query but not of a script, which would run in the US otherwise."""
    folders = [REPOSITORY / "services", REPOSITORY / "shared"]
    scripts = {
        file.name
        for folder in folders
        for file in folder.rglob("*.sql")
        if re.search(r"^(DECLARE|BEGIN)\b", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(scripts) > 3
    sources = {file: file.read_text(encoding="utf-8") for folder in folders for file in folder.rglob("*.py")}
    running = {file: text for file, text in sources.items() if any(f'{name}"' in text for name in scripts)}
    assert {name for name in scripts if any(f'{name}"' in text for text in running.values())} == scripts
    # The merger's statements go through one function, which its build.py gives the location.
    unplaced = [file for file, text in running.items() if "dataset_location(" not in text and "RunSql" not in text]
    assert unplaced == []
    assert "location=location()" in sources[REPOSITORY / "services/merger/build.py"]
