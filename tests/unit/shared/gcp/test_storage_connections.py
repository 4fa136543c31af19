"""The requests and connections of one bucket call."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from shared.contracts.outcomes import Misconfigured, Retryable
from shared.gcp.storage import StorageBucket, storage_client


@dataclass
class Storage:
    """A Cloud Storage server that refuses everything with one status, and its requests."""

    status: int = 404
    requests: list[str] = field(default_factory=list)
    connections: set[object] = field(default_factory=set)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """Start without requests."""

    protocol_version = "HTTP/1.1"
    storage: Storage

    def do_GET(self) -> None:
        """Refuse."""
        self.storage.connections.add(self.client_address)
        self.storage.requests.append(self.path.partition("?")[0])
        body = b"No such object" + b"." * 100_000
        self.send_response(self.storage.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_args: object) -> None:  # noqa: A002 the base class names it so
        """Log nothing."""


@pytest.fixture
def storage() -> Iterator[Storage]:
    """Serve on a loopback port, with the garbage collector off."""
    storage = Storage()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ItsHandler", (Handler,), {"storage": storage}))
    server.daemon_threads = True
    storage.url = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    gc.disable()
    yield storage
    gc.enable()
    server.shutdown()
    server.server_close()


def test_reads_of_missing_objects_share_a_connection(storage: Storage) -> None:
    """Reading missing objects takes one request each over one connection: missing manifests are the most frequent."""
    client = storage_client("p", storage.url)
    bucket = StorageBucket("b", client)
    assert [bucket.read("a") for _ in range(5)] == [None] * 5
    client.close()  # type: ignore[no-untyped-call]
    assert storage.requests == ["/download/storage/v1/b/b/o/a"] * 5
    assert len(storage.connections) == 1


@pytest.mark.parametrize(("status", "error"), [(503, Retryable), (429, Retryable), (403, Misconfigured)])
def test_refused_reads_share_a_connection(storage: Storage, status: int, error: type[Exception]) -> None:
    """Refused reads share a connection, also when repeated within a call, because each response is read completely."""
    storage.status = status
    client = storage_client("p", storage.url)
    bucket = StorageBucket("b", client, retry_seconds=0.2)
    for _ in range(3):
        with pytest.raises(error):
            bucket.read("a")
    client.close()  # type: ignore[no-untyped-call]
    assert len(storage.requests) >= 3
    assert len(storage.connections) == 1
