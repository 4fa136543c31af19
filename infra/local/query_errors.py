"""Make failed queries raise errors in the client, as in BigQuery."""

from functools import wraps
from typing import Any

from bqemulator.api.routes import jobs
from bqemulator.domain.errors import DomainError, InvalidQueryError
from sqlglot import errors

from infra.local.bigquery_jobs import replace_endpoint

_BY_REASON: dict[str, type[DomainError]] = {kind.bq_reason: kind for kind in jobs._SQL_EXECUTION_DOMAIN_ERRORS}  # noqa: SLF001 (the errors that the endpoint catches)


def answer_failed_queries_with_their_error() -> None:
    """Make the emulator's `jobs.query` return the HTTP status of the error.

    It returns 200 without rows and with `errors`, which BigQuery uses for warnings; `client.query_and_wait` ignores
    them. Call this before the emulator's application is created.
    """
    # A terminal's control characters around the wrong word.
    errors.ANSI_UNDERLINE = errors.ANSI_RESET = ""
    answer = jobs.query

    @wraps(answer)
    async def query(**asked: Any) -> dict[str, Any]:
        answered = await answer(**asked)
        for error in answered.get("errors", ()):
            kind = _BY_REASON.get(error["reason"], InvalidQueryError)
            raise kind(error["message"], location=error.get("location"))
        return answered

    replace_endpoint(answer, query)
