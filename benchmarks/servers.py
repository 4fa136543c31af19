"""The servers of the contenders: a server of packages, and the Cloud Storage emulator, each in its own process."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

from google.cloud.storage.client import Client

from infra.local.prerequisites import find_storage_server
from infra.local.tcp_ports import HOST, free_ports
from shared.gcp.storage import storage_client
from tests.support.waiting import wait_until


@dataclass(frozen=True)
class Servers:
    """The addresses of both."""

    source: str
    storage: str
    root: Path

    def client(self) -> Client:
        """Return a client of the Cloud Storage emulator."""
        return storage_client("bench", self.storage)

    @contextmanager
    def bucket(self) -> Iterator[str]:
        """Make a bucket, and remove it with its objects at the end."""
        name = f"bench-{uuid4().hex[:8]}"
        self.client().create_bucket(name)  # type: ignore[no-untyped-call]
        yield name
        shutil.rmtree(self.root / name, ignore_errors=True)


@contextmanager
def serving(packages: Mapping[str, Path], root: Path) -> Iterator[Servers]:
    """Run both servers on the last processor only; a package is given by the name of its minute."""
    ports = free_ports(2)
    source = [sys.executable, "-m", __name__, str(ports[0]), *(f"{name}={path}" for name, path in packages.items())]
    storage = [find_storage_server(), "-scheme", "http", "-host", HOST, "-port", str(ports[1]), "-log-level", "error"]
    storage += ["-backend", "filesystem", "-filesystem-root", str(root), "-external-url", f"http://{HOST}:{ports[1]}"]
    pin = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
    running = [subprocess.Popen([*pin, *command], stdout=subprocess.DEVNULL) for command in (source, storage)]  # noqa: S603
    try:
        for port in ports:
            wait_until(lambda port=port: _listens(port), "a server of the bench listens")  # type: ignore[misc]
        yield Servers(f"http://{HOST}:{ports[0]}", f"http://{HOST}:{ports[1]}", root)
    finally:
        for process in running:
            process.terminate()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def main(arguments: list[str]) -> None:
    """Serve packages until stopped."""
    port, *given = arguments
    packages = {name: Path(path) for name, path in (entry.split("=", 1) for entry in given)}

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with a package, for any feed."""
            found = packages.get(self.path.rsplit("/", 1)[-1])
            self.send_response(200)
            self.send_header("Content-Length", str(found.stat().st_size if found else 0))
            self.end_headers()
            if found:
                with found.open("rb") as package:
                    shutil.copyfileobj(package, self.wfile, 1024 * 1024)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server uses
            """Log nothing."""

    ThreadingHTTPServer((HOST, int(port)), Answer).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
