"""BigQuery: the client, how long it may take, and what its errors mean to the mesh."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import requests
from google.api_core.client_options import ClientOptions
from google.api_core.exceptions import GoogleAPICallError, GoogleAPIError, NotFound
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from shared.outcomes import Misconfigured, Retryable
from shared.settings import MeshSettings
from shared.warehouse.errors import ConcurrentUpdate
from shared.warehouse.tables import Column

# One request may take this long, retries included; after it Pub/Sub's backoff is the better place to wait.
SECONDS = 30.0
# The client's own retry goes on for ten minutes, even when nobody listens at the address.
RETRY = DEFAULT_RETRY.with_timeout(SECONDS)

# BigQuery has no error reason of its own for these, only the text (cloud.google.com/bigquery/docs/transactions).
_CONFLICTS = ("aborted due to concurrent update", "could not serialize access")


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
    """Turn what BigQuery answers into the mesh's outcomes: what is missing is Misconfigured, all else Retryable."""
    try:
        yield
    except NotFound as error:
        raise Misconfigured(f"{first_message(error)}; run `gti-mesh provision`") from error
    except GoogleAPICallError as error:
        message = first_message(error)
        conflict = any(text in message.lower() for text in _CONFLICTS)
        raise (ConcurrentUpdate if conflict else Retryable)(f"BigQuery: {message}") from error
    except (GoogleAPIError, GoogleAuthError, requests.RequestException, TimeoutError) as error:
        raise Retryable(f"BigQuery: {type(error).__name__}: {error}") from error


def first_message(error: GoogleAPICallError) -> str:
    """Return what the server said, without the job's address and the repetitions around it."""
    messages = [detail.get("message") for detail in error.errors if isinstance(detail, dict)]
    return str(next(filter(None, messages), error.message))


def schema_fields(columns: Iterable[Column]) -> list[bigquery.SchemaField]:
    """Return columns in BigQuery's words."""
    return [
        bigquery.SchemaField(column.name, column.type, column.mode, description=column.description)
        for column in columns
    ]


def run_query(
    client: bigquery.Client,
    sql: str,
    parameters: Mapping[str, tuple[str, str | datetime]] | None = None,
    *,
    seconds: float = SECONDS,
    max_bytes_billed: int | None = None,
) -> list[bigquery.Row]:
    """Run a query or a script and return the rows of its last statement; parameters are name -> (type, value)."""
    config = bigquery.QueryJobConfig(
        query_parameters=[
            bigquery.ScalarQueryParameter(name, kind, value) for name, (kind, value) in (parameters or {}).items()
        ],
        use_query_cache=False,
        labels={"app": "gti-mesh"},
        # BigQuery ends the job itself, so that none runs on for a caller who has given up.
        job_timeout_ms=int(seconds * 1000),
    )
    if max_bytes_billed is not None:
        config.maximum_bytes_billed = max_bytes_billed
    # job_retry would run a failed statement again by itself; what may be repeated is for the caller to say.
    job = client.query(sql, job_config=config, retry=RETRY, job_retry=None, timeout=SECONDS)
    return list(job.result(retry=RETRY, job_retry=None, timeout=seconds + SECONDS))
