"""The API key, from a setting or from Secret Manager."""

from collections.abc import Callable
from threading import Lock

from google.api_core import retry as retries
from google.api_core.exceptions import (
    GoogleAPICallError,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    RetryError,
    ServiceUnavailable,
)
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from pydantic import SecretStr

from shared.contracts.outcomes import RETRY_SECONDS, Misconfigured, Retryable
from shared.runtime.setting_types import api_key_problem

TIMEOUT_SECONDS = 10.0
# Errors that the client itself would retry.
_TROUBLE = retries.if_exception_type(ResourceExhausted, ServiceUnavailable)


def secret_version(project: str, secret: str, version: str) -> str:
    """Return the full resource name of a secret version; `secret` is a name or any full form of it."""
    if not secret.startswith("projects/"):
        secret = f"projects/{project}/secrets/{secret}"
    return secret if "/versions/" in secret else f"{secret}/versions/{version}"


class SecretManagerKey:
    """An API key in Secret Manager: read at first use, and again after the source refused it."""

    def __init__(
        self,
        resource: str,
        client: Callable[[], SecretManagerServiceClient] = SecretManagerServiceClient,
        *,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self._resource = resource
        self._client = client
        self._retry_seconds = retry_seconds
        self._lock = Lock()
        self._key: SecretStr | None = None

    def read(self) -> SecretStr:
        """Return the key; raise Misconfigured if it is missing or not readable."""
        with self._lock:
            if self._key is None:
                self._key = self._fetch()
            return self._key

    def refused(self, key: SecretStr) -> bool:
        """Read the secret again after a 401; return whether it now holds another key."""
        with self._lock:
            if self._key == key:
                self._key = self._fetch()
            return self._key != key

    def _fetch(self) -> SecretStr:
        retry = retries.Retry(predicate=_TROUBLE, initial=0.5, timeout=self._retry_seconds)
        try:
            answer = self._client().access_secret_version(name=self._resource, timeout=TIMEOUT_SECONDS, retry=retry)
        except NotFound:
            raise Misconfigured(f"secret {self._resource} does not exist; check VT_API_KEY_SECRET") from None
        except PermissionDenied:
            raise Misconfigured(
                f"secret {self._resource} is not readable: grant roles/secretmanager.secretAccessor"
            ) from None
        except (GoogleAPICallError, RetryError) as error:
            raise Retryable(f"secret {self._resource} could not be read: {error}") from error
        key = answer.payload.data.decode(errors="replace").strip()
        if not key:
            raise Misconfigured(f"secret {self._resource} is empty; add a version that holds the API key")
        if problem := api_key_problem(key):
            raise Misconfigured(f"secret {self._resource}: {problem}, and add it as a new version")
        return SecretStr(key)
