"""What becomes of a package whose connection breaks, lies or is used again, over real HTTP."""

import bz2
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import stamina
from pydantic import SecretStr

from services.downloader.bzip2 import CorruptPackageError, decompress
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import SourceTrouble

MINUTE = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
PACKAGE = bz2.compress(bytes(range(256)) * 4000)


@dataclass
class Script:
    """How a server answers, one way a request for a body, and what it saw."""

    ways: list[Callable[["Answer"], None]]
    ranges: list[str | None] = field(default_factory=list)
    validators: list[str | None] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)


class Answer(BaseHTTPRequestHandler):
    """Redirects every package to a body, and gives the body as the script says."""

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
        """Say nothing."""


def whole(answer: Answer) -> None:
    """Give everything, whatever was asked for."""
    answer.head(200, Content_Length=str(len(PACKAGE)))
    answer.wfile.write(PACKAGE)


def half(**headers: str) -> Callable[[Answer], None]:
    """Promise everything and give half."""

    def respond(answer: Answer) -> None:
        answer.head(200, Content_Length=str(len(PACKAGE)), **headers)
        answer.wfile.write(PACKAGE[: len(PACKAGE) // 2])
        answer.break_off()

    return respond


def rest(answer: Answer) -> None:
    """Give the range that was asked for."""
    first = int(answer.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    head = {"Content_Range": f"bytes {first}-{len(PACKAGE) - 1}/{len(PACKAGE)}"}
    answer.head(206, Content_Length=str(len(PACKAGE) - first), **head)
    answer.wfile.write(PACKAGE[first:])


def another_range(answer: Answer) -> None:
    """Give bytes that nobody asked for."""
    answer.head(206, Content_Length="5", Content_Range=f"bytes 0-4/{len(PACKAGE)}")
    answer.wfile.write(PACKAGE[:5])


def changed(answer: Answer) -> None:
    """Give another package of the same length."""
    answer.head(200, Content_Length=str(len(PACKAGE)))
    answer.wfile.write(bytes(len(PACKAGE)))


def gone(answer: Answer) -> None:
    """Say that there is no such package."""
    answer.head(404, Content_Length="0")


def too_short_a_length(answer: Answer) -> None:
    """Promise less than is sent."""
    answer.head(200, Content_Length=str(len(PACKAGE) - 10))
    answer.wfile.write(PACKAGE)
    answer.break_off()


def no_length(answer: Answer) -> None:
    """Promise nothing and stop in the middle."""
    answer.head(200, Connection="close")
    answer.wfile.write(PACKAGE[: len(PACKAGE) // 2])
    answer.break_off()


Serve = Callable[..., tuple[VirusTotal, Script]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a server with a script; give a client of it."""
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
    """The rest of the same version is asked for, and only that."""
    source, script = serve(half(**version), rest)
    assert fetch(source) == PACKAGE
    assert script.ranges == [None, f"bytes={len(PACKAGE) // 2}-"]
    assert script.validators == [None, next(iter(version.values()))]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_a_body_without_a_version_is_read_again(serve: Serve, headers: dict[str, str]) -> None:
    """No range is asked for, and what came before is passed over."""
    source, script = serve(half(**headers), whole)
    assert fetch(source) == PACKAGE
    assert script.ranges == [None, None]


def test_a_server_without_ranges_is_read_again(serve: Serve) -> None:
    """A 200 to a range is the whole body."""
    source, _ = serve(half(ETag='"v1"'), whole)
    assert fetch(source) == PACKAGE


@pytest.mark.parametrize(
    ("then", "reason"), [(changed, "changed while it was read"), (another_range, "got others"), (gone, "broken off")]
)
def test_another_body_is_never_joined_to_the_first(serve: Serve, then: Callable[[Answer], None], reason: str) -> None:
    """A package that changed, other bytes, and a package that is gone are trouble at the source, not a package."""
    source, _ = serve(half(ETag='"v1"'), then)
    with pytest.raises(SourceTrouble, match=reason):
        fetch(source)


def test_a_body_that_keeps_breaking_is_given_up(serve: Serve) -> None:
    """After a few breaks Pub/Sub's backoff takes over."""
    source, script = serve(*[half(ETag='"v1"')] * 9)
    with pytest.raises(SourceTrouble):
        fetch(source)
    assert len(script.ranges) < 9


@pytest.mark.parametrize("lie", [too_short_a_length, no_length])
def test_a_length_that_lies_or_is_missing_lands_nothing(serve: Serve, lie: Callable[[Answer], None]) -> None:
    """What the connection does not tell, the package does: it is cut."""
    source, _ = serve(lie)
    with pytest.raises(CorruptPackageError), source.package("domains", MINUTE) as package:
        list(decompress(package.chunks()))


def test_minutes_share_a_connection(serve: Serve) -> None:
    """Redirects and bodies that are read to their end leave the connection to the next request."""
    source, script = serve(whole, whole, whole)
    assert [fetch(source) for _ in range(3)] == [PACKAGE] * 3
    assert len(script.connections) == 1


def test_a_package_that_nobody_reads_on_does_not_spoil_the_next(serve: Serve) -> None:
    """A connection with bytes left in it is not used again."""
    source, _ = serve(whole, whole)
    with suppress(KeyError), source.package("domains", MINUTE):
        raise KeyError
    assert fetch(source) == PACKAGE
