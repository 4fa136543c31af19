"""A failed upload has ended: garbage collection must not finish it."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from shared.contracts.outcomes import Misconfigured, Retryable
from shared.gcp.storage import StorageBucket, storage_client
from tests.support.waiting import PATIENCE


@dataclass
class Storage:
    """A Cloud Storage server for a resumable upload that fails at a given step."""

    fails_at: str = ""
    requests: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def bucket(self) -> StorageBucket:
        """Return the bucket."""
        return StorageBucket("b", storage_client("p", self.url), retry_seconds=0.2)


class Handler(BaseHTTPRequestHandler):
    """Start without requests."""

    protocol_version = "HTTP/1.1"
    storage: Storage

    def do_POST(self) -> None:
        """Start an upload, or report a missing bucket."""
        self._answer(404 if self._fails() else 200)

    def do_PUT(self) -> None:
        """Accept a chunk."""
        self._answer(404 if self._fails() else 308)

    def do_DELETE(self) -> None:
        """Cancel the upload, or break the connection."""
        self.close_connection = self._fails()
        if not self.close_connection:
            self._answer(499)

    def _fails(self) -> bool:
        self.storage.requests.append(self.command)
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return self.command == self.storage.fails_at

    def _answer(self, status: int) -> None:
        self.send_response(status)
        if status == 200:
            self.send_header("Location", f"{self.storage.url}/upload/1")
        else:
            self.send_header("Range", "bytes=0-4194303")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *_args: object) -> None:  # noqa: A002 the base class names it so
        """Log nothing."""


@pytest.fixture
def storage() -> Iterator[Storage]:
    """Serve on a loopback port."""
    storage = Storage()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ItsHandler", (Handler,), {"storage": storage}))
    storage.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield storage
    server.shutdown()
    server.server_close()
    thread.join(timeout=PATIENCE)


def upload(bucket: StorageBucket, size: int, *, breaks: bool = False) -> None:
    """Write an object from a source that may fail."""
    with bucket.writing("a", "text/plain") as writer:
        writer.write(b"x" * size)
        if breaks:
            raise Retryable("the source broke")


@pytest.mark.parametrize(
    ("size", "step", "seen"), [(10, "POST", ["POST"]), (5_000_000, "PUT", ["POST", "PUT", "DELETE"])]
)
def test_an_upload_that_is_refused_is_not_tried_again_by_the_collector(
    storage: Storage, size: int, step: str, seen: list[str]
) -> None:
    """If the first request or a chunk is refused, the upload is cancelled if it had started."""
    storage.fails_at = step
    with pytest.raises(Misconfigured, match="gs://b/a: bucket 'b' is missing"):
        upload(storage.bucket, size)
    gc.collect()
    assert storage.requests == seen


def test_half_an_object_is_not_published_when_cancelling_fails(storage: Storage) -> None:
    """The first error is raised, and the rest of the data is never sent."""
    storage.fails_at = "DELETE"
    with pytest.raises(Retryable, match="the source broke"):
        upload(storage.bucket, 5_000_000, breaks=True)
    gc.collect()
    assert storage.requests == ["POST", "PUT", "DELETE"]
