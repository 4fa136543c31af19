"""One Cloud Storage bucket, with the generation preconditions that commits and state rest on."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import requests
from google.api_core.exceptions import Forbidden, GoogleAPICallError, NotFound, PreconditionFailed, RetryError
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.client import Client
from google.cloud.storage.retry import DEFAULT_RETRY

from shared.outcomes import Misconfigured, Retryable
from shared.ports import Listed, Stored, Writer

TIMEOUT_SECONDS = (10.0, 60.0)
# The client's default deadline is two minutes a call; in-call retries end before, and Pub/Sub takes over.
RETRY_SECONDS = 30.0
# A writer holds about two chunks in memory; the client's default chunk is 40 MiB.
_CHUNK_BYTES = 4 * 1024 * 1024


def storage_client(project: str, emulator: str = "") -> Client:
    """Return a client for the project; an emulator's http:// address means anonymous credentials."""
    if not emulator:
        return Client(project=project)  # type: ignore[no-untyped-call]
    return Client(  # type: ignore[no-untyped-call]
        project=project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": emulator},
    )


class StorageBucket:
    """One bucket behind Google's client; safe for several threads."""

    def __init__(self, name: str, client: Client, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self.name = name
        self._retry = DEFAULT_RETRY.with_timeout(retry_seconds)
        self._bucket = client.bucket(name)  # type: ignore[no-untyped-call]

    def uri(self, name: str) -> str:
        """Return the gs:// address of an object."""
        return f"gs://{self.name}/{name}"

    def read(self, name: str) -> Stored | None:
        """Return an object, or None when there is none."""
        with self._errors(name):
            blob = self._bucket.blob(name)
            try:
                data = blob.download_as_bytes(timeout=TIMEOUT_SECONDS, retry=self._retry)
            except NotFound as error:
                self._bucket_exists_or_raise(error)
                return None
            return Stored(data, int(blob.generation or 0))

    def create(self, name: str, data: bytes, content_type: str = "application/json") -> bool:
        """Write an object that must not exist yet; return False when another one does."""
        return self.replace(name, data, 0, content_type)

    def replace(self, name: str, data: bytes, generation: int, content_type: str = "application/json") -> bool:
        """Replace an object that is still at this generation; return False when it is not."""
        with self._errors(name):
            try:
                self._bucket.blob(name).upload_from_string(
                    data,
                    content_type=content_type,
                    if_generation_match=generation,
                    timeout=TIMEOUT_SECONDS,
                    retry=self._retry,
                )
            except PreconditionFailed:
                # A retry after a lost answer meets the object that it wrote itself.
                return (found := self.read(name)) is not None and found.data == data
            return True

    @contextmanager
    def writing(self, name: str, content_type: str) -> Iterator[Writer]:
        """Stream a new object; an exception inside the block ends the upload and leaves no object behind."""
        with self._errors(name):
            blob = self._bucket.blob(name)
            # The name is random, so a retried upload can only meet itself: retrying is safe without a precondition.
            with blob.open(
                "wb", chunk_size=_CHUNK_BYTES, content_type=content_type, timeout=TIMEOUT_SECONDS, retry=self._retry
            ) as writer:
                yield writer

    def delete(self, name: str) -> None:
        """Delete an object; nothing happens when there is none."""
        with self._errors(name):
            try:
                self._bucket.blob(name).delete(timeout=TIMEOUT_SECONDS, retry=self._retry)
            except NotFound:
                return

    def names(self, prefix: str) -> Iterable[str]:
        """Return the names that begin with a prefix, in order."""
        with self._errors(prefix):
            return [blob.name for blob in self._bucket.list_blobs(prefix=prefix, timeout=60.0, retry=self._retry)]

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin with a prefix, in order, from the name `start` on."""
        with self._errors(prefix):
            found = self._bucket.list_blobs(prefix=prefix, start_offset=start, timeout=60.0, retry=self._retry)
            return [Listed(blob.name, blob.time_created) for blob in found]

    def _bucket_exists_or_raise(self, error: NotFound) -> None:
        # "The specified bucket does not exist." and "No such object" are both a 404.
        if "bucket does not exist" in str(error).lower():
            raise error

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        place = self.uri(name)
        try:
            yield
        except NotFound as error:
            raise Misconfigured(f"{place}: bucket {self.name!r} is missing or not visible: {error.message}") from None
        except Forbidden as error:
            raise Misconfigured(f"{place}: this service account lacks a storage role: {error.message}") from None
        except (GoogleAPICallError, RetryError, GoogleAuthError, requests.RequestException) as error:
            raise Retryable(f"{place}: Cloud Storage failed: {error}") from error
