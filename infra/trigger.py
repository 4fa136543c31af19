"""Call a service of a local mesh as its schedule does: a POST that returns when the work is done."""

import requests

from infra.endpoints import Endpoints
from shared.contracts.outcomes import MeshError

_TIMEOUT = (5.0, 600.0)


def trigger(endpoints: Endpoints, service: str, path: str = "/", body: object | None = None) -> dict[str, object]:
    """POST to a service and return its JSON answer; raise MeshError with its response otherwise."""
    url = endpoints.services[service] + path
    with requests.Session() as session:
        # A proxy of the environment cannot reach local ports.
        session.trust_env = False
        try:
            answer = session.post(url, json=body or {}, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise MeshError(f"{service} does not answer at {url}: {type(error).__name__}") from None
    if answer.status_code != 200:
        raise MeshError(f"{service}{path} answered {answer.status_code}: {answer.text.strip()}")
    result: dict[str, object] = answer.json()
    return result
