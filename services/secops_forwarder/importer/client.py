"""A client for Google SecOps: logs:import, with retries within one call.

SecOps answers 429 for minutes (docs.cloud.google.com/chronicle/docs/ingestion/burst-limits), which is left to Pub/Sub's
backoff.
"""

from collections.abc import Callable
from dataclasses import dataclass

import google.auth
import requests
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.auth.transport.requests import AuthorizedSession

from services.secops_forwarder.importer.errors import (
    PERMISSION,
    DestinationRefused,
    raise_for_answer,
    raise_for_log_type,
    raise_for_refusal,
)
from shared.contracts.outcomes import TransientError
from shared.runtime.http_requests import SessionPerThread, with_retries

# Connect timeout and read timeout, in seconds. Google's own client configuration gives an import 120 s
# (chronicle_v1beta_grpc_service_config.json); a client that gives up earlier posts a request again that is being
# accepted.
TIMEOUT = (10.0, 120.0)
# A request whose token was refused is retried once with a new one.
REFRESH_SECONDS = 10.0
SENT_AT_MOST = 2

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_HEADERS = {"User-Agent": "gti-mesh", "Content-Type": "application/json"}

Session = Callable[[], requests.Session]


@dataclass(frozen=True)
class Instance:
    """A SecOps instance: its host template or address, and its resource name."""

    host: str
    version: str
    project: str
    region: str
    customer_id: str

    @property
    def resource(self) -> str:
        """The instance's resource name."""
        return f"projects/{self.project}/locations/{self.region}/instances/{self.customer_id}"

    def url(self, log_type: str, method: str = "logs:import") -> str:
        """Return the address of a method of a log type; `{region}` in the host is filled in."""
        base = self.host.replace("{region}", self.region).rstrip("/")
        return f"{base}/{self.version}/{self.resource}/logTypes/{log_type}{'/' if method else ''}{method}"

    def method_url(self, method: str, version: str) -> str:
        """Return the address of a method of the instance itself."""
        base = self.host.replace("{region}", self.region).rstrip("/")
        return f"{base}/{version}/{self.resource}:{method}"

    def forwarder(self, forwarder_id: str) -> str:
        """Return a forwarder's resource name, or nothing for none."""
        return f"{self.resource}/forwarders/{forwarder_id}" if forwarder_id else ""


def anonymous_session() -> requests.Session:
    """Return a session without credentials, for a server on this machine."""
    session = requests.Session()
    # Proxies and .netrc of the environment do not apply to it.
    session.trust_env = False
    return session


def authorized_session() -> requests.Session:
    """Return a session with the default credentials and fresh tokens; raise DestinationRefused without credentials."""
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError as error:
        raise DestinationRefused(f"no Google credentials: {error}") from None
    return AuthorizedSession(  # type: ignore[no-untyped-call]
        credentials, max_refresh_attempts=SENT_AT_MOST - 1, refresh_timeout=REFRESH_SECONDS
    )


class SecOps:
    """logs:import of one instance; thread-safe."""

    def __init__(self, instance: Instance, session: Session) -> None:
        self.instance = instance
        self._session = SessionPerThread(session)

    def import_logs(self, log_type: str, body: bytes) -> None:
        """Post one request; return once it is accepted.

        Raises ImportRefused for what is wrong with the request, DestinationRefused for what is wrong with the instance
        or the credentials, and TransientError for trouble on the way.
        """

        def post() -> None:
            raise_for_answer(self._answer("POST", self.instance.url(log_type), body))

        with_retries(post)

    def check_log_type(self, log_type: str) -> None:
        """Return if the tenant has a log type; raise LogTypeMissing if not, DestinationRefused if it may not ask."""

        def ask() -> None:
            raise_for_log_type(self._answer("GET", self.instance.url(log_type, ""), None), log_type)

        with_retries(ask)

    def call(self, method: str, url: str, body: bytes | None = None, *, permission: str) -> bytes:
        """Return the response of one call, with retries of transient errors.

        Raises what import_logs does; a refusal names the permission that the call needs.
        """

        def ask() -> bytes:
            answer = self._answer(method, url, body)
            raise_for_refusal(answer, url.rpartition(":")[2], permission)
            return answer.content

        return with_retries(ask)

    def _answer(self, method: str, url: str, body: bytes | None) -> requests.Response:
        try:
            # A redirected POST becomes a GET without a body, so its response is not an acceptance.
            return self._session().request(
                method, url, data=body, headers=_HEADERS, timeout=TIMEOUT, allow_redirects=False
            )
        except RefreshError as error:
            raise DestinationRefused(
                f"no access token could be obtained, and {PERMISSION} needs one: {error}"
            ) from None
        except (requests.RequestException, GoogleAuthError) as error:
            raise TransientError(f"{method} to SecOps: {type(error).__name__}: {error}") from None
