"""A client for Google SecOps: logs:import, with the retries that one request may take.

Retries live here and nowhere else: at most 30 seconds for one request, then Pub/Sub takes over. SecOps answers 429 for
minutes (docs.cloud.google.com/chronicle/docs/ingestion/burst-limits), which is Pub/Sub's to wait for.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

import google.auth
import requests
import stamina
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError
from google.auth.transport.requests import AuthorizedSession

from shared.outcomes import Misconfigured
from shared.secops.errors import PERMISSION, SecOpsTrouble, raise_for_answer

RETRY_SECONDS = 30.0
# One request, retries included, ends within this; leases are made longer.
LONGEST_SECONDS = 110.0
_TIMEOUT = (10.0, 60.0)
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_HEADERS = {"User-Agent": "gti-mesh", "Content-Type": "application/json"}

Session = Callable[[], requests.Session]


@dataclass(frozen=True)
class Instance:
    """A SecOps instance: host template or address, and the resource that log types belong to."""

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

    def forwarder(self, forwarder_id: str) -> str:
        """Return a forwarder's resource name, or nothing for none."""
        return f"{self.resource}/forwarders/{forwarder_id}" if forwarder_id else ""


def anonymous_session() -> requests.Session:
    """Return a session without credentials, for a server on this machine."""
    session = requests.Session()
    # Neither a proxy nor .netrc of the environment is meant for it.
    session.trust_env = False
    return session


def authorized_session() -> requests.Session:
    """Return a session with the default credentials, whose tokens it refreshes; raise Misconfigured without any."""
    try:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError as error:
        raise Misconfigured(f"no Google credentials: {error}") from None
    return AuthorizedSession(credentials, refresh_timeout=10)  # type: ignore[no-untyped-call]


class SecOps:
    """logs:import of one instance; safe for several threads."""

    def __init__(self, instance: Instance, session: Session) -> None:
        self.instance = instance
        self._new_session = session
        self._local = threading.local()

    def import_logs(self, log_type: str, body: bytes) -> None:
        """Post one request; raise SecOpsTrouble, ImportRefused or Misconfigured when it is not accepted."""
        self.call("POST", self.instance.url(log_type), body)

    def call(self, method: str, url: str, body: bytes | None = None) -> bytes:
        """Return the answer of one call, retried while SecOps or the way to it is in trouble."""
        attempts = stamina.retry_context(on=_worth_another_try, attempts=4, timeout=RETRY_SECONDS, wait_initial=0.5)
        for attempt in attempts:
            with attempt:
                return self._call(method, url, body)
        raise AssertionError("stamina ends with a result or an exception")

    def _call(self, method: str, url: str, body: bytes | None) -> bytes:
        try:
            # A POST that is redirected becomes a GET without its body, and whatever answers that accepted nothing.
            answer = self._session().request(
                method, url, data=body, headers=_HEADERS, timeout=_TIMEOUT, allow_redirects=False
            )
        except RefreshError as error:
            raise Misconfigured(f"no access token could be had, and {PERMISSION} needs one: {error}") from None
        except (requests.RequestException, GoogleAuthError) as error:
            raise SecOpsTrouble(f"{method} to SecOps: {type(error).__name__}: {error}") from None
        raise_for_answer(answer)
        return answer.content

    def _session(self) -> requests.Session:
        # requests does not promise that a session may be shared between threads.
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._new_session()
        return session


def _worth_another_try(error: Exception) -> bool | float:
    if not isinstance(error, SecOpsTrouble):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= RETRY_SECONDS / 2 else False
