"""The emulators as the local stack starts them."""

import requests

from infra.local.endpoints import Endpoints


def test_the_emulators_answer(emulators: Endpoints) -> None:
    """Storage has the landing bucket, BigQuery is ready, and clients get their addresses as environment."""
    bucket = requests.get(f"{emulators.storage}/storage/v1/b/{emulators.bucket}", timeout=5)
    assert bucket.json()["name"] == emulators.bucket
    assert requests.get(f"{emulators.bigquery}/readyz", timeout=5).ok
    assert emulators.environment()["PUBSUB_EMULATOR_HOST"] == emulators.pubsub
