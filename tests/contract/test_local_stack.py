"""The emulators as the local stack starts them."""

import requests

from infra.endpoints import Endpoints
from tests.mesh.harness import warehouse
from tests.support.waiting import PATIENCE


def test_the_emulators_answer(emulators: Endpoints) -> None:
    """Storage has the landing bucket, BigQuery is ready, and clients get their addresses from the environment."""
    bucket = requests.get(f"{emulators.storage}/storage/v1/b/{emulators.bucket}", timeout=PATIENCE)
    assert bucket.json()["name"] == emulators.bucket
    assert requests.get(f"{emulators.bigquery}/readyz", timeout=PATIENCE).ok
    assert emulators.environment()["PUBSUB_EMULATOR_HOST"] == emulators.pubsub


def test_a_merge_takes_the_memory_of_one_thread(emulators: Endpoints) -> None:
    """DuckDB runs with one thread on any number of processors; the emulator passes this query on to it."""
    query = warehouse(emulators).query("SELECT current_setting('threads') AS threads", timeout=PATIENCE)
    assert [row["threads"] for row in query.result(timeout=PATIENCE)] == [1]
