"""One Cloud Storage bucket, with the generation preconditions that commits and state depend on."""

import base64
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import requests
from google.api_core.exceptions import (
    Forbidden,
    GoogleAPICallError,
    NotFound,
    PreconditionFailed,
    RequestRangeNotSatisfiable,
    RetryError,
    from_http_response,
)
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError
from google.cloud.storage.client import Client
from google.cloud.storage.exceptions import DataCorruption, InvalidResponse
from google.cloud.storage.fileio import BlobWriter
from google.cloud.storage.retry import DEFAULT_RETRY

from shared.contracts.interfaces import Listed, Stored, Writer
from shared.contracts.outcomes import RETRY_SECONDS, Misconfigured, Retryable
from shared.runtime.settings import MeshSettings

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = (10.0, 60.0)
# A writer holds about two chunks in memory; the client's default chunk is 40 MiB.
_CHUNK_BYTES = 4 * 1024 * 1024
_SHOWN = 500
_TROUBLE = (GoogleAPICallError, RetryError, GoogleAuthError, DataCorruption, requests.RequestException)


def storage_client(project: str, emulator: str = "") -> Client:
    """Return a client for the project, or with anonymous credentials for an emulator (host and port, or an address)."""
    if not emulator:
        return _tidy(Client(project=project))  # type: ignore[no-untyped-call]
    return _tidy(
        Client(  # type: ignore[no-untyped-call]
            project=project,
            credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": emulator if "://" in emulator else f"http://{emulator}"},
        )
    )


def _tidy(client: Client) -> Client:
    """Return a client that makes only the requested calls, and reuses its connections."""
    # For traces, which are off, a thread of its own asks for the bucket's metadata (google-cloud-storage 3.17).
    client._bucket_metadata_cache = None  # type: ignore[assignment]  # noqa: SLF001
    client._http.hooks["response"].append(_read_refusal)  # noqa: SLF001
    return client


def _read_refusal(answer: requests.Response, **_: object) -> None:
    """Read the body of an error response.

    The client streams downloads, and leaves connections to the garbage collector.
    """
    if not answer.ok:
        answer.content  # noqa: B018 (reading it is the purpose)


def _message(error: Exception) -> str:
    # The text can be a proxy's HTML page.
    text = error.message if isinstance(error, GoogleAPICallError) else str(error)
    return " ".join(text.split())[:_SHOWN]


def _hexadecimal(crc32c: str | None) -> str | None:
    # The API gives the four bytes in base64, the first one highest.
    return base64.b64decode(crc32c).hex() if crc32c else None


@dataclass(frozen=True)
class _Upload:
    """A writer that raises the same errors as all other calls."""

    writer: BlobWriter

    def write(self, data: bytes, /) -> int:
        """Buffer data and send full chunks."""
        with _as_call_errors():
            return int(self.writer.write(data))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Send the rest and finalize the object."""
        with _as_call_errors():
            self.writer.close()  # type: ignore[no-untyped-call]


@contextmanager
def _as_call_errors() -> Iterator[None]:
    try:
        yield
    except InvalidResponse as error:
        raise from_http_response(error.response) from None  # type: ignore[no-untyped-call]
    except ValueError as error:
        # The server may persist only part of a chunk; the client cannot resume from there.
        raise GoogleAPICallError(str(error)) from None  # type: ignore[no-untyped-call]


@contextmanager
def _ended(upload: _Upload) -> Iterator[None]:
    """Close an upload, or cancel it if anything fails, including the close.

    An open writer closes itself when it is garbage-collected, which would publish a truncated object.
    """
    try:
        yield
        upload.close()
    except BaseException:
        _cancel(upload.writer)
        raise


def _cancel(writer: BlobWriter) -> None:
    try:
        writer.terminate()  # type: ignore[no-untyped-call]
    except (requests.RequestException, GoogleAuthError) as error:
        # Cloud Storage discards unfinished uploads after a week.
        log.info("storage.upload_not_cancelled: %s", error)
    finally:
        # terminate() does this only if the server could be reached.
        writer._buffer.close()  # type: ignore[no-untyped-call]  # noqa: SLF001


def landing_bucket(settings: MeshSettings) -> "StorageBucket":
    """Return the bucket that the settings name, in Cloud Storage or its emulator."""
    return StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator))


class StorageBucket:
    """One bucket, accessed with Google's client; thread-safe."""

    def __init__(self, name: str, client: Client, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self.name = name
        self._retry = DEFAULT_RETRY.with_timeout(retry_seconds)
        self._bucket = client.bucket(name)  # type: ignore[no-untyped-call]

    def uri(self, name: str) -> str:
        """Return the gs:// address of an object."""
        return f"gs://{self.name}/{name}"

    def name_of(self, uri: str) -> str:
        """Return the name of the object at an address returned by uri()."""
        return uri.removeprefix(self.uri(""))

    def read(self, name: str) -> Stored | None:
        """Return an object, or None if it does not exist."""
        with self._errors(name):
            blob = self._bucket.blob(name)
            try:
                data = blob.download_as_bytes(timeout=TIMEOUT_SECONDS, retry=self._retry)
            except NotFound as error:
                self._bucket_exists_or_raise(error)
                return None
            return Stored(data, int(blob.generation or 0))

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield an object in pieces, none of which stays in memory; yield nothing if it does not exist.

        Each piece is a request of its own, so that a reader may take its time between two.
        """
        size, at = _CHUNK_BYTES, 0
        while (piece := self._piece(name, at, size)) is not None:
            yield piece
            at += size
            if len(piece) < size:
                return

    def _piece(self, name: str, at: int, size: int) -> bytes | None:
        """Return bytes from a position on, or None if there are none."""
        with self._errors(name):
            try:
                piece: bytes = self._bucket.blob(name).download_as_bytes(
                    start=at, end=at + size - 1, timeout=TIMEOUT_SECONDS, retry=self._retry
                )
            except NotFound as error:
                self._bucket_exists_or_raise(error)
                return None
            except RequestRangeNotSatisfiable:
                return None
            return piece

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
                # A retry after a lost response finds the object that it wrote itself.
                return (found := self.read(name)) is not None and found.data == data
            except Forbidden:
                # Who may only create may be refused for the missing right to overwrite instead; it is not documented.
                found = None if generation else self.read(name)
                if found is None:
                    raise
                return found.data == data
            return True

    @contextmanager
    def writing(self, name: str, content_type: str) -> Iterator[Writer]:
        """Stream a new object; an exception inside the block ends the upload and leaves no object behind."""
        with self._errors(name):
            blob = self._bucket.blob(name)
            # The name is random, so a retried upload can only replace itself: no precondition is needed.
            writer = blob.open(
                "wb", chunk_size=_CHUNK_BYTES, content_type=content_type, timeout=TIMEOUT_SECONDS, retry=self._retry
            )
            upload = _Upload(writer)
            with _ended(upload):
                yield upload

    def delete(self, name: str) -> None:
        """Delete an object; a missing object is not an error."""
        with self._errors(name):
            try:
                self._bucket.blob(name).delete(timeout=TIMEOUT_SECONDS, retry=self._retry)
            except NotFound as error:
                self._bucket_exists_or_raise(error)

    def names(self, prefix: str) -> Iterable[str]:
        """Return the names that begin with a prefix, in order."""
        with self._errors(prefix):
            return [blob.name for blob in self._bucket.list_blobs(prefix=prefix, timeout=60.0, retry=self._retry)]

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin with a prefix, in order, from the name `start` on."""
        with self._errors(prefix):
            found = self._bucket.list_blobs(prefix=prefix, start_offset=start, timeout=60.0, retry=self._retry)
            return [Listed(blob.name, blob.time_created, blob.generation, _hexadecimal(blob.crc32c)) for blob in found]

    def next_name(self, prefix: str, start: str) -> str | None:
        """Return the first name that begins with a prefix, from the name `start` on; None if there is none."""
        with self._errors(prefix):
            found = self._bucket.list_blobs(
                prefix=prefix, start_offset=start, max_results=1, timeout=60.0, retry=self._retry
            )
            return next((str(blob.name) for blob in found), None)

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
            raise Misconfigured(f"{place}: bucket {self.name!r} is missing or not visible: {_message(error)}") from None
        except Forbidden as error:
            raise Misconfigured(f"{place}: this service account lacks a storage role: {_message(error)}") from None
        except _TROUBLE as error:
            raise Retryable(f"{place}: Cloud Storage failed: {_message(error)}") from error
