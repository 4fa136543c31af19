"""Build the merger from its settings and the real BigQuery."""

from services.merger.merge import Merger
from services.merger.settings import MergerSettings
from shared.gcp.bigquery import bigquery_client, bigquery_errors, run_query


def build(settings: MergerSettings) -> Merger:
    """Connect to BigQuery."""
    client = bigquery_client(settings)

    def run(sql: str) -> list[dict[str, object]]:
        with bigquery_errors():
            rows = run_query(client, sql, seconds=settings.deadline_seconds, max_bytes_billed=settings.max_bytes_billed)
        return [dict(row.items()) for row in rows]

    return Merger(run=run, dataset=f"{settings.project}.{settings.dataset}")
