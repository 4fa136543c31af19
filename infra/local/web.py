"""A small HTTP server for simulators and control endpoints, whose answers can also go wrong on the wire.

Answers are values, so routes stay pure; only this module touches sockets. A framework's server would hide
what the faults need: a length that is not kept, a pause between bytes, a reset in mid-body.
"""

import contextlib
import json
import logging
import re
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import cast
from urllib.parse import parse_qsl, urlsplit

log = logging.getLogger(__name__)

_LINGER_ZERO = struct.pack("ii", 1, 0)
_IDLE_SECONDS = 30
_DRIPS = 20


@dataclass(frozen=True)
class Request:
    """What a route needs to know of a request; header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Wire:
    """How a body travels: whole, or stopped after so many bytes, reset there, or dripped over some seconds."""

    stop_after: int | None = None
    reset: bool = False
    seconds: float = 0.0


@dataclass(frozen=True)
class Answer:
    """A response: what is said, and how it travels."""

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
    """Return an answer that says a JSON value."""
    head = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return Answer(status, json.dumps(value).encode(), head)


def checked(handle: Callable[..., Answer]) -> Callable[..., Answer]:
    """Return a route's function that answers 400 where the other one does not understand what it was told."""

    def respond(request: Request, **named: str) -> Answer:
        try:
            return handle(request, **named)
        except (KeyError, ValueError) as error:  # pydantic's ValidationError is one
            return json_answer(400, {"error": str(error)})

    return respond


def dispatch(routes: list[Route], fallback: Respond) -> Respond:
    """Return one function that answers by the first route that fits."""

    def respond(request: Request) -> Answer:
        for method, pattern, handle in routes:
            if method == request.method and (fits := pattern.fullmatch(request.path)):
                return handle(request, **fits.groupdict())
        return fallback(request)

    return respond


class Server(ThreadingHTTPServer):
    """Answers every request on one loopback port, each connection in a thread of its own."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, respond: Respond) -> None:
        super().__init__(("127.0.0.1", port), _Connection)
        self.respond = respond

    def start(self) -> None:
        """Begin to answer, in the background."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        """Answer no more; connections that are still open end with the process."""
        self.shutdown()
        self.server_close()

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close a connection; one that is to be reset skips the orderly FIN that would come first."""
        if isinstance(request, socket.socket) and _is_to_be_reset(request):
            request.close()
        else:
            super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - what socketserver hands over
        """Log a broken connection; a client that went away needs no traceback."""
        gone = isinstance(sys.exception(), OSError)
        log.info("connection from %s broke", client_address, exc_info=not gone)


def _is_to_be_reset(connection: socket.socket) -> bool:
    # A client that has reset the connection itself leaves nothing to ask.
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
            answer = Answer(500, b"the simulator failed; its log says why", {"Content-Type": "text/plain"})
        self._send(answer)

    do_GET = do_PUT = do_POST = do_DELETE = _respond  # noqa: N815 - names that http.server calls

    def _read(self) -> Request:
        target = urlsplit(self.path)
        return Request(
            method=self.command,
            path=target.path,
            query=dict(parse_qsl(target.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length", 0))),
        )

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
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

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server uses
        log.info("%s %s", self.address_string(), format % args)


def _pieces(answer: Answer) -> Iterator[bytes]:
    body = answer.body[: answer.wire.stop_after]
    if not answer.wire.seconds:
        yield body
        return
    size = max(1, -(-len(body) // _DRIPS))
    drips = [body[start : start + size] for start in range(0, len(body), size)]
    for drip in drips:
        time.sleep(answer.wire.seconds / len(drips))
        yield drip
