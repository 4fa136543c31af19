"""Downloads over broken, incorrect or reused connections, over real HTTP."""

import bz2
import gzip
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest
import stamina
from pydantic import SecretStr

from services.downloader.bzip2.libbz2 import CorruptPackageError, decompress
from services.downloader.spool import Spools
from shared.contracts.outcomes import TransientError
from shared.virustotal.client import FixedKey, VirusTotal
from tests.support.waiting import PATIENCE

MINUTE = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PACKAGE = bz2.compress(bytes(range(256)) * 4000)


@dataclass
class Script:
    """A server's responses, one function per request for a body, and the requests that it received."""

    ways: list[Callable[["Answer"], None]]
    ranges: list[str | None] = field(default_factory=list)
    validators: list[str | None] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    gave_up: Event = field(default_factory=Event)


class Answer(BaseHTTPRequestHandler):
    """Redirects every package to a body, and answers each request for the body as the script says."""

    protocol_version = "HTTP/1.1"
    script: Script

    def do_GET(self) -> None:
        """Answer by path."""
        self.script.connections.add(self.client_address)
        if not self.path.startswith("/body"):
            self.head(302, Location="/body", Content_Length="9")
            self.wfile.write(b"over here")
            return
        self.script.ranges.append(self.headers["Range"])
        self.script.validators.append(self.headers["If-Range"])
        self.script.ways.pop(0)(self)

    def head(self, status: int, **headers: str) -> None:
        """Send a status and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def break_off(self) -> None:
        """Close the connection."""
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server uses
        """Log nothing."""


def send_whole(answer: Answer) -> None:
    """Send the whole body, whatever range was requested."""
    answer.head(200, Content_Length=str(len(PACKAGE)))
    answer.wfile.write(PACKAGE)


def half(**headers: str) -> Callable[[Answer], None]:
    """Announce the whole body and send half."""

    def respond(answer: Answer) -> None:
        answer.head(200, Content_Length=str(len(PACKAGE)), **headers)
        answer.wfile.write(PACKAGE[: len(PACKAGE) // 2])
        answer.break_off()

    return respond


def rest(answer: Answer) -> None:
    """Send the requested range."""
    first = int(answer.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    head = {"Content_Range": f"bytes {first}-{len(PACKAGE) - 1}/{len(PACKAGE)}"}
    answer.head(206, Content_Length=str(len(PACKAGE) - first), **head)
    answer.wfile.write(PACKAGE[first:])


def another_range(answer: Answer) -> None:
    """Send other bytes than the requested range."""
    answer.head(206, Content_Length="5", Content_Range=f"bytes 0-4/{len(PACKAGE)}")
    answer.wfile.write(PACKAGE[:5])


def changed(answer: Answer) -> None:
    """Send another package of the same length."""
    answer.head(200, Content_Length=str(len(PACKAGE)))
    answer.wfile.write(bytes(len(PACKAGE)))


def gone(answer: Answer) -> None:
    """Answer that the package does not exist."""
    answer.head(404, Content_Length="0")


def too_short_a_length(answer: Answer) -> None:
    """Announce fewer bytes than are sent."""
    answer.head(200, Content_Length=str(len(PACKAGE) - 10))
    answer.wfile.write(PACKAGE)
    answer.break_off()


def no_length(answer: Answer) -> None:
    """Announce no length and stop in the middle."""
    answer.head(200, Connection="close")
    answer.wfile.write(PACKAGE[: len(PACKAGE) // 2])
    answer.break_off()


ENCODED = gzip.compress(PACKAGE)


def half_encoded(answer: Answer) -> None:
    """Announce the whole body with a content coding, and send half."""
    answer.head(200, Content_Length=str(len(ENCODED)), Content_Encoding="gzip", ETag='"v1"')
    answer.wfile.write(ENCODED[: len(ENCODED) // 2])
    answer.break_off()


def rest_encoded(answer: Answer) -> None:
    """Send the requested range of the encoded bytes."""
    first = int(answer.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    head = {"Content_Range": f"bytes {first}-{len(ENCODED) - 1}/{len(ENCODED)}", "Content_Encoding": "gzip"}
    answer.head(206, Content_Length=str(len(ENCODED) - first), **head)
    answer.wfile.write(ENCODED[first:])


LONG = random.Random(1).randbytes(2**24)  # noqa: S311 - more than sockets keep for one another


def impatient(answer: Answer) -> None:
    """Stop if the bytes are not read for a fifth of a second."""
    answer.head(200, Content_Length=str(len(LONG)), ETag='"v1"')
    answer.connection.settimeout(0.2)
    with suppress(TimeoutError):
        answer.wfile.write(LONG)
    answer.script.gave_up.set()
    answer.break_off()


def rest_of_long(answer: Answer) -> None:
    """Send the requested range as fast as it is read."""
    first = int(answer.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    head = {"Content_Range": f"bytes {first}-{len(LONG) - 1}/{len(LONG)}"}
    answer.head(206, Content_Length=str(len(LONG) - first), **head)
    answer.wfile.write(LONG[first:])


def encoded(body: bytes, coding: str) -> Callable[[Answer], None]:
    """Send a body under a named content coding."""

    def respond(answer: Answer) -> None:
        answer.head(200, Content_Length=str(len(body)), Content_Encoding=coding)
        answer.wfile.write(body)

    return respond


Serve = Callable[..., tuple[VirusTotal, Script]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with a script and return a client of it."""
    servers: list[ThreadingHTTPServer] = []

    def started(*ways: Callable[[Answer], None]) -> tuple[VirusTotal, Script]:
        script = Script(list(ways))
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Scripted", (Answer,), {"script": script}))
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        url = f"http://127.0.0.1:{server.server_address[1]}/api/v3"
        return VirusTotal(api_url=url, key=FixedKey(SecretStr("k3y"))), script

    with stamina.set_testing(True, attempts=2):
        yield started
    for server in servers:
        server.shutdown()
        server.server_close()


def fetch(source: VirusTotal) -> bytes:
    """Read a package."""
    with source.package("domains", MINUTE) as package:
        return b"".join(package.chunks())


@pytest.mark.parametrize("version", [{"ETag": '"v1"'}, {"Last_Modified": "Sat, 21 Nov 2026 10:00:59 GMT"}])
def test_a_broken_body_is_resumed_where_it_broke(serve: Serve, version: dict[str, str]) -> None:
    """After a break the client requests the rest of the same version, and only that."""
    source, script = serve(half(**version), rest)
    assert fetch(source) == PACKAGE
    assert script.ranges == [None, f"bytes={len(PACKAGE) // 2}-"]
    assert script.validators == [None, next(iter(version.values()))]


def test_a_broken_body_under_a_coding_is_resumed_by_the_bytes_on_the_wire(serve: Serve) -> None:
    """A range counts encoded bytes, and decoding continues where it stopped."""
    source, script = serve(half_encoded, rest_encoded)
    assert fetch(source) == PACKAGE
    assert script.ranges == [None, f"bytes={len(ENCODED) // 2}-"]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        (encoded(ENCODED[:-1], "gzip"), "the encoded body is truncated"),
        (encoded(PACKAGE, "gzip"), "damaged or has another coding"),
        (encoded(PACKAGE, "br"), "unknown Content-Encoding 'br'"),
    ],
)
def test_a_coding_that_cannot_be_undone_is_trouble(serve: Serve, way: Callable[[Answer], None], reason: str) -> None:
    """A truncated, a mismatching and an unknown content coding make the client request the package again."""
    source, _ = serve(way)
    with pytest.raises(TransientError, match=reason):
        fetch(source)


def test_a_body_is_never_continued_under_another_coding(serve: Serve) -> None:
    """A body is not continued under another coding, since the bytes would not fit together."""
    source, _ = serve(half_encoded, rest)
    with pytest.raises(TransientError, match="Content-Encoding changed"):
        fetch(source)


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_a_body_without_a_version_is_read_again(serve: Serve, headers: dict[str, str]) -> None:
    """Without support for ranges the client reads the body again and skips the bytes that it has."""
    source, script = serve(half(**headers), send_whole)
    assert fetch(source) == PACKAGE
    assert script.ranges == [None, None]


def test_a_server_without_ranges_is_read_again(serve: Serve) -> None:
    """A 200 response to a range request is read as the whole body."""
    source, _ = serve(half(ETag='"v1"'), send_whole)
    assert fetch(source) == PACKAGE


@pytest.mark.parametrize(
    ("then", "reason"), [(changed, "changed while it was read"), (another_range, "got others"), (gone, "answered 404")]
)
def test_another_body_is_never_joined_to_the_first(serve: Serve, then: Callable[[Answer], None], reason: str) -> None:
    """A changed package, other bytes and a removed package are errors of the source, not a package."""
    source, _ = serve(half(ETag='"v1"'), then, then)
    with pytest.raises(TransientError, match=reason):
        fetch(source)


def test_a_link_that_ended_with_its_connection_is_replaced(serve: Serve) -> None:
    """When the address has expired, the API gives a new one and the rest is requested there."""
    source, script = serve(half(ETag='"v1"'), gone, rest)
    assert fetch(source) == PACKAGE
    assert script.ranges[1:] == [f"bytes={len(PACKAGE) // 2}-"] * 2


def test_a_body_that_keeps_breaking_is_given_up(serve: Serve) -> None:
    """After a few breaks the client gives up and leaves the retry to Pub/Sub's backoff."""
    source, script = serve(*[half(ETag='"v1"')] * 9)
    with pytest.raises(TransientError):
        fetch(source)
    assert len(script.ranges) < 9


@pytest.mark.parametrize("lie", [too_short_a_length, no_length])
def test_a_length_that_lies_or_is_missing_lands_nothing(serve: Serve, lie: Callable[[Answer], None]) -> None:
    """A body that ends early under a wrong or missing length is detected as a cut package."""
    source, _ = serve(lie)
    with pytest.raises(CorruptPackageError), source.package("domains", MINUTE) as package:
        list(decompress(package.chunks()))


def test_a_source_that_would_not_wait_for_memory_is_asked_for_the_rest(serve: Serve) -> None:
    """While the spool is full nothing is read; a connection that the server closes meanwhile loses no byte."""
    source, script = serve(impatient, rest_of_long)
    spools = Spools(shared=0, own=2**20)
    with (
        source.package("domains", MINUTE) as package,
        spools.taken_off_the_wire(package, timedelta(seconds=PATIENCE)) as out,
    ):
        assert script.gave_up.wait(PATIENCE)
        assert b"".join(out) == LONG
    [first, second] = script.ranges
    assert first is None
    assert second


def test_minutes_share_a_connection(serve: Serve) -> None:
    """Redirects, and bodies that are read completely, leave the connection open for the next request."""
    source, script = serve(send_whole, send_whole, send_whole)
    assert [fetch(source) for _ in range(3)] == [PACKAGE] * 3
    assert len(script.connections) == 1


def test_a_package_that_nobody_reads_on_does_not_spoil_the_next(serve: Serve) -> None:
    """A connection with unread bytes is not used again."""
    source, _ = serve(send_whole, send_whole)
    with suppress(KeyError), source.package("domains", MINUTE):
        raise KeyError
    assert fetch(source) == PACKAGE
