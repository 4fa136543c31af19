"""What the contenders talk to: a server of packages, and the Cloud Storage emulator; each a process of its own."""

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

from infra.local.machine import find_storage_server
from shared.gcp.storage import storage_client
from tests.simulator import free_port
from tests.waiting import wait_until

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Servers:
    """Where both are."""

    source: str
    storage: str
    root: Path

    def client(self) -> Client:
        """Return a client of the Cloud Storage emulator."""
        return storage_client("bench", self.storage)

    @contextmanager
    def bucket(self) -> Iterator[str]:
        """Make a bucket, and remove it with all that was written."""
        name = f"bench-{uuid4().hex[:8]}"
        self.client().create_bucket(name)  # type: ignore[no-untyped-call]
        yield name
        shutil.rmtree(self.root / name, ignore_errors=True)


@contextmanager
def serving(packages: Mapping[str, Path], root: Path) -> Iterator[Servers]:
    """Run both servers, on the last processor only; packages are given by the names of their minutes."""
    ports = free_port(), free_port()
    source = [sys.executable, "-m", __name__, str(ports[0]), *(f"{name}={path}" for name, path in packages.items())]
    storage = [find_storage_server(), "-scheme", "http", "-host", HOST, "-port", str(ports[1]), "-log-level", "error"]
    storage += ["-backend", "filesystem", "-filesystem-root", str(root), "-external-url", f"http://{HOST}:{ports[1]}"]
    pin = ["taskset", "-c", str(max(os.sched_getaffinity(0)))]
    running = [subprocess.Popen([*pin, *command], stdout=subprocess.DEVNULL) for command in (source, storage)]  # noqa: S603
    try:
        for port in ports:
            wait_until(lambda port=port: _listens(port), 20, "a server of the bench listens")  # type: ignore[misc]
        yield Servers(f"http://{HOST}:{ports[0]}", f"http://{HOST}:{ports[1]}", root)
    finally:
        for process in running:
            process.terminate()
            process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def main(arguments: list[str]) -> None:
    """Serve packages until told to stop."""
    port, *given = arguments
    packages = {name: Path(path) for name, path in (entry.split("=", 1) for entry in given)}

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            """Answer with a package, whatever the feed."""
            found = packages.get(self.path.rsplit("/", 1)[-1])
            self.send_response(200)
            self.send_header("Content-Length", str(found.stat().st_size if found else 0))
            self.end_headers()
            if found:
                with found.open("rb") as package:
                    shutil.copyfileobj(package, self.wfile, 1024 * 1024)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server uses
            """Say nothing."""

    ThreadingHTTPServer((HOST, int(port)), Answer).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1:])
