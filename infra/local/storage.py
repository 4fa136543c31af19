"""The landing bucket in the local Cloud Storage."""

import requests

from infra.local.endpoints import Endpoints

_TIMEOUT_SECONDS = 5.0


def create_bucket(endpoints: Endpoints) -> None:
    """Create the bucket, unless it is there from an earlier run."""
    with requests.Session() as session:
        # No proxy of the caller's environment may come between this process and a server on the same machine; Google's
        # client would take it, and this is one call.
        session.trust_env = False
        answer = session.post(
            f"{endpoints.storage}/storage/v1/b",
            params={"project": endpoints.project},
            json={"name": endpoints.bucket},
            timeout=_TIMEOUT_SECONDS,
        )
    if answer.status_code != requests.codes.conflict:
        answer.raise_for_status()
