"""Make dry runs of the BigQuery emulator execute nothing, and report the statement type."""

from contextlib import suppress
from functools import wraps
from typing import Any

import sqlglot
from bqemulator.api.routes import jobs
from bqemulator.domain.errors import DomainError
from bqemulator.jobs.executor import classify_statement_type
from bqemulator.scripting.ast import SqlStmt
from bqemulator.scripting.parser import parse_script
from sqlglot import exp


def statement_type(sql: str) -> str:
    """Return BigQuery's `statementType`: SELECT for a query, SCRIPT for a script, "" if it is not a statement.

    The emulator has no type for `UNION ALL` and for some statements that write.
    """
    if not parse_script(sql).statements:
        return ""
    # Without a comment after the last semicolon, which would count as another statement.
    text = _only_statement(sql)
    if text is None:
        return "SCRIPT"
    if known := classify_statement_type(text):
        return known
    try:
        tree = sqlglot.parse_one(text, read="bigquery")
    except sqlglot.errors.ParseError:
        return ""
    if isinstance(tree, exp.Query):
        return "SELECT"
    # A word, or an expression with or without a name.
    return "" if isinstance(tree, (exp.Condition, exp.Alias)) else tree.key.upper()


def without_rows(query: str) -> str:
    """Return a query that has the same columns and reads no row: DuckDB plans it and has nothing to do."""
    return f"SELECT * FROM (\n{_only_statement(query) or query}\n) LIMIT 0"  # noqa: S608 (the caller's own query)


def _only_statement(sql: str) -> str | None:
    """Return the one SQL statement of a text, without semicolon and comments; None for a script."""
    match parse_script(sql).statements:
        case (SqlStmt(sql=text),):
            return text
    return None


def run_nothing_in_dry_runs() -> None:
    """Prevent the emulator from executing anything in dry runs.

    It executes scripts and queries to find their columns: a dry run of `DELETE ...; SELECT 1` deletes, and every query
    takes twice its time. Call this before the emulator's application is created.
    """
    answer = jobs._dry_run_response  # noqa: SLF001 (both kinds of requests end here)

    @wraps(answer)
    async def dry_run(*, bq_sql: str, **asked: Any) -> dict[str, Any]:
        kind = statement_type(bq_sql)
        if kind == "SELECT":
            # A query that cannot be planned raises an error with positions in the original text.
            with suppress(DomainError):
                return {**await answer(bq_sql=without_rows(bq_sql), **asked), "statementType": kind}
        if kind in {"SELECT", ""}:
            return {**await answer(bq_sql=bq_sql, **asked), **({"statementType": kind} if kind else {})}
        return {
            "jobReference": {"projectId": asked["project_id"], "jobId": asked["job_id"], "location": "US"},
            "jobComplete": True,
            "totalBytesProcessed": "0",
            "schema": {"fields": []},
            "rows": [],
            "totalRows": "0",
            "statementType": kind,
        }

    jobs._dry_run_response = dry_run  # noqa: SLF001
