"""The outcome of each bucket call for each response of Cloud Storage or of a proxy."""

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import google_crc32c
import pytest
from google.cloud.storage.client import Client

from shared.contracts.outcomes import MeshError, Misconfigured, Retryable
from shared.gcp.storage import StorageBucket, storage_client

Call = Callable[[StorageBucket], object]
ERROR = b'{"error": {"code": 0, "message": "said the server", "errors": [{"reason": "x"}]}}'
HTML = b"<!doctype html><title>Sorry</title>\n<p>A proxy says no.</p>\n"
TWO_CHUNKS = 9_000_000


@dataclass
class Storage:
    """Answers normally, except that a call of one kind gets `status` and `body`, or no response."""

    fails: str = ""
    there: bool = False
    status: int = 500
    body: bytes = ERROR
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""
    uploaded: google_crc32c.Checksum = field(default_factory=google_crc32c.Checksum)

    @cached_property
    def client(self) -> Client:
        """Return a client of the server."""
        return storage_client("p", self.url)

    @property
    def bucket(self) -> StorageBucket:
        """Return a bucket on the server."""
        return StorageBucket("b", self.client, retry_seconds=0.2)

    def object(self) -> bytes:
        """Return the uploaded object's metadata, including its checksum."""
        checksum = base64.b64encode(self.uploaded.digest()).decode()  # type: ignore[no-untyped-call]
        return json.dumps({"name": "a", "crc32c": checksum}).encode()


class Handler(BaseHTTPRequestHandler):
    """One call of Cloud Storage's JSON API."""

    protocol_version = "HTTP/1.1"
    storage: Storage

    def do_GET(self) -> None:
        """Answer a list or read request."""
        listing = "/o?" in self.path and "alt=media" not in self.path
        if listing:
            self._respond("list", 200, b'{"items": []}')
        elif self.storage.there:
            self._respond("read", 200, b"content")
        else:
            self._respond("read", 404, b"No such object: b/a")

    def do_POST(self) -> None:
        """Answer a simple upload, or begin a resumable one."""
        if "uploadType=resumable" in self.path:
            self._respond("begin", 200, b"", Location=f"{self.storage.url}/upload/1")
        else:
            self._respond("write", 200, b'{"name": "a"}')

    def do_PUT(self) -> None:
        """Take a chunk, whether a middle one without a known total or the last."""
        self.storage.uploaded.update(self._body())  # type: ignore[no-untyped-call]
        if not self.headers["Content-Range"].endswith("/*"):
            self._respond("finish", 200, self.storage.object())
        else:
            self._respond("chunk", 308, b"", Range=f"bytes=0-{self._sent()}")

    def do_DELETE(self) -> None:
        """Answer a delete. Cancelling an upload never fails here."""
        self._respond("cancel" if "/upload/" in self.path else "delete", 204, b"")

    def _sent(self) -> str:
        return self.headers["Content-Range"].partition("-")[2].partition("/")[0]

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        del self.headers["Content-Length"]
        return body

    def _respond(self, kind: str, status: int, body: bytes, **headers: str) -> None:
        self._body()
        storage = self.storage
        if kind == storage.fails:
            if not storage.status:
                self.close_connection = True
                return
            status, body, headers = storage.status, storage.body, storage.headers
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server uses
        """Log nothing."""


@pytest.fixture
def storage() -> Iterator[Storage]:
    """Serve on this machine."""
    storage = Storage()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ItsHandler", (Handler,), {"storage": storage}))
    server.daemon_threads = True
    storage.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield storage
    storage.client.close()  # type: ignore[no-untyped-call]
    server.shutdown()
    server.server_close()


def stream(size: int) -> Call:
    """Return a call that streams an object."""

    def call(bucket: StorageBucket) -> None:
        with bucket.writing("a", "text/plain") as writer:
            writer.write(b"x" * size)

    return call


CALLS: dict[str, Call] = {
    "read": lambda bucket: bucket.read("a"),
    "write": lambda bucket: bucket.create("a", b"x"),
    "begin": stream(10),
    "chunk": stream(TWO_CHUNKS),
    "finish": stream(TWO_CHUNKS),
    "delete": lambda bucket: bucket.delete("a"),
    "list": lambda bucket: (list(bucket.names("a")), list(bucket.listed("a", "b"))),
}
NOTHING_THERE = {"read", "delete"}
# 412 says that another one wrote, which for a created object is an answer.
STATUSES = (400, 401, 408, 409, 410, 411, 413, 416, 429, 499, 500, 502, 503)


def outcome(storage: Storage, kind: str) -> MeshError:
    """Return the exception of a call whose kind fails; its text is one line that names the object."""
    storage.fails = kind
    with pytest.raises(MeshError, match=r"^gs://b/a: ") as caught:
        CALLS[kind](storage.bucket)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("kind", CALLS)
def test_each_call_is_good_when_the_answers_are(storage: Storage, kind: str) -> None:
    """Each call succeeds on normal responses, so that failures in the other tests come from the response."""
    CALLS[kind](storage.bucket)


@pytest.mark.parametrize("body", [ERROR, HTML, b""])
@pytest.mark.parametrize("kind", CALLS)
def test_a_refusal_needs_an_operator(storage: Storage, kind: str, body: bytes) -> None:
    """A 403 is reported as missing rights, at the beginning of an upload or in its middle."""
    storage.status, storage.body = 403, body
    assert isinstance(outcome(storage, kind), Misconfigured)


@pytest.mark.parametrize("data", [b"x", b"content"])
def test_an_object_that_exists_may_be_refused_with_403(storage: Storage, data: bytes) -> None:
    """To create it again is answered as with 412, whether it is the same object; to replace it needs the right."""
    storage.fails, storage.status, storage.there = "write", 403, True
    assert storage.bucket.create("a", data) is (data == b"content")
    with pytest.raises(Misconfigured, match="lacks a storage role"):
        storage.bucket.replace("a", data, 1)


@pytest.mark.parametrize("body", [ERROR, HTML, b""])
@pytest.mark.parametrize("kind", sorted(set(CALLS) - NOTHING_THERE))
def test_what_is_missing_needs_an_operator(storage: Storage, kind: str, body: bytes) -> None:
    """A 404 to a call that needs no object means that the bucket does not exist."""
    storage.status, storage.body = 404, body
    assert "bucket 'b' is missing" in str(outcome(storage, kind))
    assert isinstance(outcome(storage, kind), Misconfigured)


@pytest.mark.parametrize("kind", sorted(NOTHING_THERE))
def test_a_missing_object_is_an_answer_and_a_missing_bucket_is_none(storage: Storage, kind: str) -> None:
    """A missing object and a missing bucket are both a 404; the message distinguishes them."""
    storage.fails, storage.status, storage.body = kind, 404, b"No such object: b/a"
    assert CALLS[kind](storage.bucket) is None
    storage.body = b'{"error": {"message": "The specified bucket does not exist."}}'
    assert isinstance(outcome(storage, kind), Misconfigured)


@pytest.mark.parametrize("body", [ERROR, HTML])
@pytest.mark.parametrize("kind", CALLS)
def test_everything_else_is_worth_another_try(storage: Storage, kind: str, body: bytes) -> None:
    """Every other status is retryable."""
    storage.body = body
    for storage.status in STATUSES:
        assert isinstance(outcome(storage, kind), Retryable)


@pytest.mark.parametrize("kind", sorted(set(CALLS) - {"write"}))
def test_a_precondition_that_nobody_gave_is_worth_another_try(storage: Storage, kind: str) -> None:
    """A 412 to a request without a precondition is retryable."""
    storage.status = 412
    assert isinstance(outcome(storage, kind), Retryable)


@pytest.mark.parametrize("kind", CALLS)
def test_a_connection_that_ends_is_worth_another_try(storage: Storage, kind: str) -> None:
    """A connection that ends without a response is retryable."""
    storage.status = 0
    assert isinstance(outcome(storage, kind), Retryable)


@pytest.mark.parametrize(
    ("kind", "headers", "body"),
    [
        # The checksum is of other bytes.
        ("read", {"X-Goog-Hash": "md5=AAAAAAAAAAAAAAAAAAAAAA==,crc32c=AAAAAA=="}, b"content"),
        # A success without the address to go on at.
        ("begin", {}, b""),
        # A page of HTML instead of JSON.
        ("list", {}, HTML),
        # The checksum is missing, or that of other bytes.
        ("finish", {}, b'{"name": "a"}'),
        ("finish", {}, b'{"name": "a", "crc32c": "AAAAAA=="}'),
        ("finish", {}, HTML),
        ("write", {}, HTML),
    ],
)
def test_a_success_that_is_none_is_worth_another_try(
    storage: Storage, kind: str, headers: dict[str, str], body: bytes
) -> None:
    """A success response with the wrong body is retryable and is not taken as data."""
    storage.status, storage.headers, storage.body = 200, headers, body
    assert isinstance(outcome(storage, kind), Retryable)


@pytest.mark.parametrize("received", [None, "bytes=0-1", "bytes=0-99999999999", "nonsense"])
def test_a_chunk_of_which_another_part_arrived_is_worth_another_try(storage: Storage, received: str | None) -> None:
    """A partly received chunk is retryable, and an incomplete object is not published."""
    storage.status, storage.headers = 308, {"Range": received} if received else {}
    assert isinstance(outcome(storage, "chunk"), Retryable)
