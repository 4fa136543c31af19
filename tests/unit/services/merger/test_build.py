"""How the merger runs SQL in BigQuery."""

from types import SimpleNamespace
from typing import Any

from services.merger.build import sql_runner
from services.merger.settings import MergerSettings


class QueryClient:
    """A client of a dataset in a region, which records the job's options."""

    project = "p"

    def __init__(self) -> None:
        self.begun: list[dict[str, Any]] = []
        self.looked = 0

    def get_dataset(self, *_: object, **__: object) -> SimpleNamespace:
        """Return a dataset outside the US and the EU."""
        self.looked += 1
        return SimpleNamespace(location="europe-west6")

    def query(self, sql: str, **options: Any) -> SimpleNamespace:
        """Start a job with one row."""
        self.begun.append({"sql": sql, **options})
        return SimpleNamespace(result=lambda **_: [{"lines": 3}])


def test_a_script_runs_where_the_dataset_lies() -> None:
    """BigQuery cannot infer the location of a script; the dataset is looked up once."""
    client = QueryClient()
    given = {"GCP_PROJECT": "p", "LANDING_BUCKET": "b", "MERGE_MAX_BYTES_BILLED": 10**9}
    settings = MergerSettings.model_validate(given)
    run = sql_runner(settings, max_bytes_billed=settings.max_bytes_billed, client=client)  # type: ignore[arg-type]
    for _ in range(2):
        assert run("BEGIN TRANSACTION; COMMIT TRANSACTION", seconds=70) == [{"lines": 3}]
    assert [job["location"] for job in client.begun] == ["europe-west6"] * 2
    assert client.looked == 1
    config = client.begun[0]["job_config"]
    assert (int(config.job_timeout_ms), config.maximum_bytes_billed) == (70_000, 10**9)
