"""The VirusTotal simulator as a process of its own, for the tests that talk to it over real HTTP."""

import socket
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from infra.local.virustotal.client import SimulatorControl
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.simulator import DEFAULT_KEY

KEY = {"x-apikey": DEFAULT_KEY}
MINUTE = package_name(datetime.now(UTC) - timedelta(minutes=90))
TIMEOUT = 10.0
REPOSITORY = Path(__file__).parents[1]


@dataclass(frozen=True)
class Running:
    """A simulator that runs, and how to reach it."""

    process: subprocess.Popen[bytes]
    url: str
    download_url: str

    @property
    def control(self) -> SimulatorControl:
        """A client of its control endpoint."""
        return SimulatorControl(self.url)

    def location(self, feed: str = "domains", minute: str = MINUTE) -> str:
        """Return where the API redirects to for a package."""
        answer = requests.get(self.package(feed, minute), headers=KEY, allow_redirects=False, timeout=TIMEOUT)
        assert answer.status_code == 302
        return answer.headers["Location"]

    def package(self, feed: str = "domains", minute: str = MINUTE) -> str:
        """Return the address of a package."""
        return f"{self.url}/api/v3/feeds/{feed}/{minute}"

    def body(self, feed: str = "domains", minute: str = MINUTE) -> bytes:
        """Fetch a package as a careful client does: the key stays with the API."""
        return requests.get(self.location(feed, minute), timeout=TIMEOUT).content


def start(*flags: str) -> Running:
    """Start a simulator on free ports and return when both answer."""
    ports = [free_port(), free_port()]
    command = [sys.executable, "-m", "infra.local.virustotal", "--lines", "6", *flags]
    command += ["--port", str(ports[0]), "--download-port", str(ports[1])]
    process = subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=REPOSITORY
    )
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    for url in urls:
        until_healthy(process, url)
    return Running(process, *urls)


def free_port() -> int:
    """Return a port that nobody uses at the moment."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    """Return when the port answers; fail when the process ends or takes too long."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        assert process.poll() is None, "the simulator ended at its start"
        try:
            if requests.get(f"{url}/healthz", timeout=TIMEOUT).status_code == 200:
                return
        except requests.ConnectionError:
            continue
    pytest.fail(f"{url} did not answer")


def end(running: Running) -> None:
    """End a simulator and what holds its output."""
    running.process.kill()
    running.process.communicate(timeout=TIMEOUT)
