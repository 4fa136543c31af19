"""A server of raw bytes: it records each request as received, and answers with a test's bytes."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from threading import Thread

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.waiting import PATIENCE

HOST = "127.0.0.1"


@dataclass
class RawServer:
    """A running server: `answer` returns a response's bytes for a request line."""

    url: str
    answer: Callable[[str], bytes]
    requests: list[bytes] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The first line of each request."""
        return [request.split(b"\r\n", 1)[0].decode("latin-1") for request in self.requests]


def response(status: str, body: bytes = b"", **headers: str) -> bytes:
    """Return the bytes of a response after which the connection ends."""
    fields = {"Content-Length": str(len(body)), "Connection": "close", **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode("latin-1") + body


@contextmanager
def raw_server(answer: Callable[[str], bytes], certificate: Path | None = None) -> Iterator[RawServer]:
    """Serve on a free port, with TLS when there is a certificate, as write_certificate() makes one."""
    with _listening(lambda connection: _answer(connection, server, certificate)) as port:
        server = RawServer(f"{'https' if certificate else 'http'}://{HOST}:{port}", answer)
        yield server


@contextmanager
def _listening(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server((HOST, 0)) as listener:
        Thread(target=_accept, args=(listener, serve), daemon=True).start()
        yield listener.getsockname()[1]


def _accept(listener: socket.socket, serve: Callable[[socket.socket], None]) -> None:
    listener.settimeout(PATIENCE)
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            connection.settimeout(PATIENCE)
            Thread(target=serve, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket, server: RawServer, certificate: Path | None) -> None:
    with _secured(connection, certificate) as secured:
        request = _head_of(secured)
        server.requests.append(request)
        secured.sendall(server.answer(server.lines[-1]))


def _head_of(connection: socket.socket) -> bytes:
    """Read a request's head."""
    head = b""
    while not head.endswith(b"\r\n\r\n") and (piece := connection.recv(1)):
        head += piece
    return head


def _secured(connection: socket.socket, certificate: Path | None) -> socket.socket:
    if certificate is None:
        return connection
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context.wrap_socket(connection, server_side=True)


@contextmanager
def tunnels() -> Iterator[RawServer]:
    """Run a proxy that opens tunnels (CONNECT), and records its requests."""
    with _listening(lambda connection: _tunnel(connection, proxy)) as port:
        proxy = RawServer(f"http://{HOST}:{port}", lambda _: b"")
        yield proxy


def _tunnel(near: socket.socket, proxy: RawServer) -> None:
    proxy.requests.append(_head_of(near))
    host, _, port = proxy.lines[-1].split()[1].rpartition(":")
    with near, socket.create_connection((host, int(port)), PATIENCE) as far:
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = Thread(target=_pass_on, args=(far, near), daemon=True)
        back.start()
        _pass_on(near, far)
        back.join(PATIENCE)


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def write_certificate(file: Path) -> Path:
    """Write a key and a certificate for this machine's address, which clients can also use as an authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return file
