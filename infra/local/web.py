"""A small HTTP server for simulators and control endpoints; it can inject faults at the level of the connection.

Responses are values, so routes are pure functions; only this module uses sockets. A framework's server would hide what
the faults need: a wrong Content-Length, pauses between bytes, a reset in the middle of a body.
"""

import contextlib
import json
import logging
import re
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import cast
from urllib.parse import parse_qsl, urlsplit

log = logging.getLogger(__name__)

_LINGER_ZERO = struct.pack("ii", 1, 0)
_IDLE_SECONDS = 30
_PARTS = 20


@dataclass(frozen=True)
class Request:
    """A request; header names are in lower case, target is path and query as sent."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    target: str = ""


@dataclass(frozen=True)
class Wire:
    """How a body is sent: whole, cut after `stop_after` bytes, then optionally reset, or spread over some seconds."""

    stop_after: int | None = None
    reset: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A response, and how it is sent."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wire: Wire = field(default_factory=Wire)


Respond = Callable[[Request], Answer]
Route = tuple[str, re.Pattern[str], Callable[..., Answer]]


def route(method: str, pattern: str, respond: Callable[..., Answer]) -> Route:
    """Return a route: named groups of the pattern become keyword arguments of respond."""
    return method, re.compile(pattern), respond


def json_answer(status: int, value: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Return a JSON response."""
    head = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return Answer(status, json.dumps(value).encode(), head)


def html_answer(status: int, text: str) -> Answer:
    """Return a page of HTML, as proxies and front ends answer."""
    page = f"<!doctype html><title>{status}</title><p>{text}</p>\n"
    return Answer(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


def checked(handle: Callable[..., Answer]) -> Callable[..., Answer]:
    """Return a handler that responds with 400 if the given one cannot parse the request."""

    def respond(request: Request, **named: str) -> Answer:
        try:
            return handle(request, **named)
        except (KeyError, ValueError) as error:  # pydantic's ValidationError is one
            return json_answer(400, {"error": str(error)})

    return respond


def json_route(method: str, pattern: str, handle: Callable[..., object]) -> Route:
    """Return a route that answers with what `handle` returns, as JSON ({} for None), or with 400 as checked() does."""

    def respond(request: Request, **named: str) -> Answer:
        found = handle(request, **named)
        return found if isinstance(found, Answer) else json_answer(200, {} if found is None else found)

    return route(method, pattern, checked(respond))


def dispatch(routes: list[Route], fallback: Respond) -> Respond:
    """Return a handler that uses the first matching route."""

    def respond(request: Request) -> Answer:
        for method, pattern, handle in routes:
            if method == request.method and (fits := pattern.fullmatch(request.path)):
                return handle(request, **fits.groupdict())
        return fallback(request)

    return respond


class Server(ThreadingHTTPServer):
    """Serves one loopback port, one thread per connection."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, respond: Respond) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.respond = respond

    def start(self) -> None:
        """Start serving in the background."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Stop serving; open connections end with the process."""
        self.shutdown()
        self.server_close()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection; skip the orderly FIN if it is to be reset."""
        if isinstance(request, socket.socket) and _is_to_be_reset(request):
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - socketserver passes it
        """Log a broken connection, without a traceback if the client disconnected."""
        gone = isinstance(sys.exception(), OSError)
        log.info("connection from %s broke", client_address, exc_info=not gone)


def serve_until_stopped(*servers: Server) -> None:
    """Serve until SIGTERM or SIGINT."""
    stopped = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    for server in servers:
        server.start()
        log.info("listening on port %d", server.server_port)
    stopped.wait()
    for server in servers:
        server.stop()


def _is_to_be_reset(connection: socket.socket) -> bool:
    # If the client has reset the connection, the option cannot be read.
    with contextlib.suppress(OSError):
        return connection.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_LINGER_ZERO)) == _LINGER_ZERO
    return False


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    # Headers and body are two writes; Nagle's algorithm would hold the second for 40 ms.
    disable_nagle_algorithm = True

    def _respond(self) -> None:
        request = self._read()
        try:
            answer = cast("Server", self.server).respond(request)
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            answer = Answer(500, b"the simulator failed; see its log", {"Content-Type": "text/plain"})
        self._send(answer)

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _respond  # noqa: N815 - http.server calls these names

    def _read(self) -> Request:
        target = urlsplit(self.path)
        return Request(
            method=self.command,
            path=target.path,
            query=dict(parse_qsl(target.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
            target=self.path,
        )

    def _send(self, answer: Answer) -> None:
        self.log_request(answer.status)
        self.send_response_only(answer.status)
        standard = {
            "Server": self.version_string(),
            "Date": self.date_time_string(),
            "Content-Length": str(len(answer.body)),
        }
        for name, value in {**standard, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for piece in _pieces(answer):
            self.wfile.write(piece)
        if answer.wire.stop_after is not None:
            self._break_off(reset=answer.wire.reset)

    def _break_off(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            # With SO_LINGER 0 closing sends RST instead of FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)

    def version_string(self) -> str:
        return "gti-mesh-local"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        log.info("%s %s", self.address_string(), format % args)


def _pieces(answer: Answer) -> Iterator[bytes]:
    body = answer.body[: answer.wire.stop_after]
    if not answer.wire.seconds:
        yield body
        return
    size = max(1, -(-len(body) // _PARTS))
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    for part in parts:
        time.sleep(answer.wire.seconds / len(parts))
        yield part
