"""BigQuery: the client, its time limits, and how its errors map to the mesh's outcomes."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from http import HTTPStatus

import requests
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError, NotFound, RetryError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from shared.contracts.outcomes import Misconfigured, Retryable
from shared.runtime.settings import MeshSettings
from shared.warehouse.errors import ConcurrentUpdate, RateLimited
from shared.warehouse.tables import Column

# The parameters of a query by name: a text is a STRING, a moment a TIMESTAMP.
Parameters = Mapping[str, str | datetime]

# The limit for one request including retries; after that Pub/Sub's backoff is the better place to wait.
SECONDS = 30.0
# The client's default retry runs for ten minutes, even if nothing listens at the address.
RETRY = DEFAULT_RETRY.with_timeout(SECONDS)

# cloud.google.com/bigquery/docs/error-messages
QUOTA_REASONS = frozenset({"quotaExceeded", "rateLimitExceeded"})
# BigQuery has no error reason of its own for these, only the text (cloud.google.com/bigquery/docs/transactions).
_CONFLICTS = ("aborted due to concurrent update", "could not serialize access")
# Table updates and jobs are counted over seconds (cloud.google.com/bigquery/docs/error-messages); quotaExceeded is not
# among them, because it is counted over a day. A script's own error keeps the text, not always the reason.
RATE_LIMITS = frozenset({"rateLimitExceeded", "jobRateLimitExceeded"})
_LIMITED = ("exceeded rate limits",)


def bigquery_client(settings: MeshSettings) -> bigquery.Client:
    """Return a client for the project, or for the emulator that BIGQUERY_EMULATOR_HOST names."""
    if not settings.bigquery_emulator:
        return bigquery.Client(project=settings.project)
    address = settings.bigquery_emulator
    return bigquery.Client(
        project=settings.project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options=ClientOptions(api_endpoint=address if "://" in address else f"http://{address}"),
    )


@contextmanager
def bigquery_errors() -> Iterator[None]:
    """Map BigQuery's errors to the mesh's outcomes: a missing resource is Misconfigured, everything else Retryable."""
    try:
        yield
    except NotFound as error:
        raise Misconfigured(f"{first_message(error)}; run `gti-mesh provision`") from error
    except GoogleAPICallError as error:
        raise _outcome(error) from error
    except RetryError as error:
        # The call was retried until its time limit.
        if isinstance(error.cause, GoogleAPICallError):
            raise _outcome(error.cause) from error
        raise Retryable(f"BigQuery: {error}") from error
    except (GoogleAPIError, GoogleAuthError, requests.RequestException, TimeoutError) as error:
        raise Retryable(f"BigQuery: {type(error).__name__}: {error}") from error


def _outcome(error: GoogleAPICallError) -> Retryable:
    message = first_message(error)
    reasons = {detail.get("reason") for detail in error.errors if isinstance(detail, dict)}
    quota = error.code == HTTPStatus.TOO_MANY_REQUESTS or not QUOTA_REASONS.isdisjoint(reasons)
    if reasons & RATE_LIMITS or _holds(message, _LIMITED):
        return RateLimited(f"BigQuery: {message}", error_type="quota_spent")
    kind = ConcurrentUpdate if _holds(message, _CONFLICTS) else Retryable
    return kind(f"BigQuery: {message}", error_type="quota_spent" if quota else None)


def _holds(message: str, texts: Iterable[str]) -> bool:
    return any(text in message.lower() for text in texts)


def dataset_location(client: bigquery.Client, dataset: str) -> str | None:
    """Return a dataset's location, or None if it has none; raise Misconfigured if the dataset does not exist.

    Outside the US and the EU a job is found only in its location, and BigQuery cannot infer the location of a script.
    """
    with bigquery_errors():
        found = client.get_dataset(f"{client.project}.{dataset}", retry=RETRY, timeout=SECONDS)
    return str(found.location) if found.location else None


def first_message(error: GoogleAPICallError) -> str:
    """Return the server's first error message, without the job's address and repetitions."""
    messages = [detail.get("message") for detail in error.errors if isinstance(detail, dict)]
    return str(next(filter(None, messages), error.message))


def schema_fields(columns: Iterable[Column]) -> list[bigquery.SchemaField]:
    """Return columns as BigQuery schema fields."""
    return [
        bigquery.SchemaField(column.name, column.type, column.mode, description=column.description)
        for column in columns
    ]


def run_query(
    client: bigquery.Client,
    sql: str,
    parameters: Parameters | None = None,
    *,
    seconds: float = SECONDS,
    max_bytes_billed: int | None = None,
    location: str | None = None,
    component: str = "ledger",
) -> list[bigquery.Row]:
    """Run a query or a script and return the rows of its last statement.

    A script needs the location of its dataset; for a query BigQuery infers it. `component` is the label by which the
    bill can be read. Raises the errors of bigquery_errors().
    """
    config = _config(parameters, component)
    # BigQuery ends the job itself, so that no job outlives a caller that has given up.
    config.job_timeout_ms = int(seconds * 1000)
    if max_bytes_billed is not None:
        config.maximum_bytes_billed = max_bytes_billed
    # job_retry would rerun a failed statement; the caller decides what may be repeated.
    with bigquery_errors():
        job = client.query(sql, job_config=config, location=location, retry=RETRY, job_retry=None, timeout=SECONDS)
        return list(job.result(retry=RETRY, job_retry=None, timeout=seconds + SECONDS))


def stream_rows(client: bigquery.Client, sql: str, parameters: Parameters, *, seconds: float) -> Iterator[bigquery.Row]:
    """Run a query and yield its rows, a page at a time; raises the errors of bigquery_errors().

    seconds bounds the query, and not the reading of its rows.
    """
    config = _config(parameters)
    config.job_timeout_ms = int(seconds * 1000)
    with bigquery_errors():
        job = client.query(sql, job_config=config, retry=RETRY, job_retry=None, timeout=SECONDS)
        yield from job.result(retry=RETRY, job_retry=None, timeout=seconds + SECONDS)


def bytes_read(client: bigquery.Client, sql: str, parameters: Parameters | None = None) -> int:
    """Return how many bytes a query would read, by a dry run."""
    config = _config(parameters)
    config.dry_run = True
    with bigquery_errors():
        job = client.query(sql, job_config=config, retry=RETRY, job_retry=None, timeout=SECONDS)
        return int(job.total_bytes_processed or 0)


def _config(parameters: Parameters | None, component: str = "ledger") -> bigquery.QueryJobConfig:
    return bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ScalarQueryParameter(name, "STRING" if isinstance(value, str) else "TIMESTAMP", value)
            for name, value in (parameters or {}).items()
        ],
        use_query_cache=False,
        labels={"app": "gti-mesh", "component": component},
    )
