"""The landing bucket in the local Cloud Storage."""

import requests

from infra.endpoints import Endpoints

_TIMEOUT_SECONDS = 30.0


def create_bucket(endpoints: Endpoints) -> None:
    """Create the bucket, unless it exists from an earlier run."""
    with requests.Session() as session:
        # Google's client would use a proxy of the environment, even for a server on the same machine.
        session.trust_env = False
        answer = session.post(
            f"{endpoints.storage}/storage/v1/b",
            params={"project": endpoints.project},
            json={"name": endpoints.bucket},
            timeout=_TIMEOUT_SECONDS,
        )
    if answer.status_code != requests.codes.conflict:
        answer.raise_for_status()
