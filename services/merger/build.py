"""Build the merger's parts from its settings and the real BigQuery."""

from google.cloud import bigquery

from services.merger.fold import Folder
from services.merger.merge import Merger
from services.merger.settings import MergerSettings
from services.merger.transactions import RunSql
from shared.contracts.minutes import utc_now
from shared.gcp.bigquery import bigquery_client, dataset_location, run_query
from shared.runtime.service import Lazy
from shared.runtime.settings import MeshSettings


def build(settings: MergerSettings, *, run: RunSql | None = None) -> Merger:
    """Connect to BigQuery, unless `run` is given."""
    return Merger(
        run=run or sql_runner(settings, max_bytes_billed=settings.max_bytes_billed),
        dataset=f"{settings.project}.{settings.dataset}",
        now=utc_now,
        max_lines=settings.max_lines,
    )


def build_folder(settings: MergerSettings, *, run: RunSql | None = None) -> Folder:
    """Return the component that folds, with its own limit of billed bytes."""
    return Folder(
        run=run or sql_runner(settings, max_bytes_billed=settings.fold_max_bytes_billed),
        dataset=f"{settings.project}.{settings.dataset}",
        now=utc_now,
        min_rows=settings.fold_min_rows,
        keep_hours=settings.fold_keep_hours,
    )


def sql_runner(
    settings: MeshSettings, *, max_bytes_billed: int | None, client: bigquery.Client | None = None
) -> RunSql:
    """Return a function that runs SQL in BigQuery, in the dataset's location; a client may be given."""
    client = client or bigquery_client(settings)
    location = Lazy(lambda: dataset_location(client, settings.dataset))

    def run(sql: str, *, seconds: float) -> list[dict[str, object]]:
        rows = run_query(
            client,
            sql,
            seconds=seconds,
            max_bytes_billed=max_bytes_billed,
            location=location(),
            component="merger",
        )
        return [dict(row.items()) for row in rows]

    return run
