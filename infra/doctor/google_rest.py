"""Google's REST APIs, for the few calls that no client library of the mesh makes.

An address is written as in Google's reference, without the scheme: `run.googleapis.com/v2/projects/p/...`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import google.auth
import requests
from google.auth import impersonated_credentials
from google.auth.transport.requests import AuthorizedSession

from shared.contracts.outcomes import MeshError
from shared.streams.definition import look_up

Json = Mapping[str, object]

_SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
_TIMEOUT = (10.0, 60.0)
# Long enough for one run of the doctor.
_IMPERSONATED_SECONDS = 900
_SHOWN = 300


class NotThere(MeshError):
    """The resource does not exist, or the caller may not know that it does."""


class Denied(MeshError):
    """The caller lacks a permission, or the API is not enabled."""


class PreconditionNotMet(MeshError):
    """A generation or an etag was not the expected one."""


class Refused(MeshError):
    """Any other refusal."""


_ERRORS: Mapping[int, type[MeshError]] = {401: Denied, 403: Denied, 404: NotThere, 412: PreconditionNotMet}


class GoogleRest:
    """Calls Google's APIs as one identity."""

    def __init__(self, session: requests.Session, address: Callable[[str], str] = "https://{}".format) -> None:
        """Take a session with credentials, and how an address becomes a URL."""
        self._session = session
        self._address = address

    def get(self, address: str, **query: str | Sequence[str]) -> Json:
        """Return the answer to a GET; raises NotThere, Denied or Refused."""
        return self._send("GET", address, params=query)

    def post(self, address: str, body: object) -> Json:
        """Return the answer to a POST of JSON; raises as get() does."""
        return self._send("POST", address, json=body)

    def put(self, address: str, body: object) -> Json:
        """Return the answer to a PUT of JSON; raises as get() does."""
        return self._send("PUT", address, json=body)

    def upload(self, address: str, body: bytes, **query: str) -> Json:
        """Return the answer to an upload; raises as get() does, and PreconditionNotMet."""
        return self._send("POST", address, data=body, params=query)

    def delete(self, address: str) -> None:
        """Delete a resource; one that does not exist is not an error."""
        try:
            self._send("DELETE", address)
        except NotThere:
            return

    def _send(self, method: str, address: str, **how: object) -> Json:
        answer = self._session.request(method, self._address(address), timeout=_TIMEOUT, **how)  # type: ignore[arg-type]
        content = _json(answer)
        if answer.ok:
            return content
        message = look_up(content, "error.message") or answer.text[:_SHOWN] or answer.reason
        raise _ERRORS.get(answer.status_code, Refused)(f"{method} {address}: {answer.status_code}: {message}")


def _json(answer: requests.Response) -> Json:
    try:
        content = answer.json()
    except ValueError:
        return {}
    return cast("Json", content) if isinstance(content, dict) else {}


def listed(found: object, path: str) -> list[object]:
    """Return the list at a dotted path, empty if there is none: Google leaves empty lists out."""
    value = look_up(found, path)
    return value if isinstance(value, list) else []


def own_access() -> GoogleRest:
    """Return access with the caller's own credentials; raises GoogleAuthError without any."""
    credentials, _ = google.auth.default(scopes=_SCOPES)
    return GoogleRest(AuthorizedSession(credentials))  # type: ignore[no-untyped-call]


def impersonated(email: str) -> GoogleRest:
    """Return access as a service account, for a caller with roles/iam.serviceAccountTokenCreator on it."""
    source, _ = google.auth.default(scopes=_SCOPES)
    credentials = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
        source_credentials=source, target_principal=email, target_scopes=_SCOPES, lifetime=_IMPERSONATED_SECONDS
    )
    return GoogleRest(AuthorizedSession(credentials))  # type: ignore[no-untyped-call]
