"""Build the merger from its settings and the real BigQuery."""

from services.merger.merge import Merger, RunSql
from services.merger.settings import MergerSettings
from shared.gcp.bigquery import bigquery_client, bigquery_errors, run_query


def build(settings: MergerSettings, *, run: RunSql | None = None) -> Merger:
    """Connect to BigQuery, unless what runs the SQL is given."""
    return Merger(run=run or sql_runner(settings), dataset=f"{settings.project}.{settings.dataset}")


def sql_runner(settings: MergerSettings) -> RunSql:
    """Return what runs SQL in BigQuery."""
    client = bigquery_client(settings)

    def run(sql: str) -> list[dict[str, object]]:
        with bigquery_errors():
            rows = run_query(client, sql, seconds=settings.deadline_seconds, max_bytes_billed=settings.max_bytes_billed)
        return [dict(row.items()) for row in rows]

    return run
