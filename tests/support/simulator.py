"""The VirusTotal simulator as a separate process, for the tests that use real HTTP."""

import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import requests

from infra.local.tcp_ports import free_ports
from infra.local.virustotal.client import SimulatorControl
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.simulator import DEFAULT_KEY
from tests.support.paths import REPOSITORY
from tests.support.waiting import PATIENCE

KEY = {"x-apikey": DEFAULT_KEY}
MINUTE = package_name(datetime.now(UTC) - timedelta(minutes=90))


@dataclass(frozen=True)
class Running:
    """A running simulator, and its addresses."""

    process: subprocess.Popen[bytes]
    url: str
    download_url: str

    @property
    def control(self) -> SimulatorControl:
        """A client of its control endpoint."""
        return SimulatorControl(self.url)

    def location(self, feed: str = "domains", minute: str = MINUTE) -> str:
        """Return the address to which the API redirects for a package."""
        answer = requests.get(self.package(feed, minute), headers=KEY, allow_redirects=False, timeout=PATIENCE)
        assert answer.status_code == 302
        return answer.headers["Location"]

    def package(self, feed: str = "domains", minute: str = MINUTE) -> str:
        """Return the address of a package."""
        return f"{self.url}/api/v3/feeds/{feed}/{minute}"

    def body(self, feed: str = "domains", minute: str = MINUTE) -> bytes:
        """Fetch a package as a careful client does: only the API receives the key."""
        return requests.get(self.location(feed, minute), timeout=PATIENCE).content


def start(*flags: str) -> Running:
    """Start a simulator on free ports and return when both answer."""
    ports = free_ports(2)
    command = [sys.executable, "-m", "infra.local.virustotal", "--lines", "6", *flags]
    command += ["--port", str(ports[0]), "--download-port", str(ports[1])]
    process = subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=REPOSITORY
    )
    urls = [f"http://127.0.0.1:{port}" for port in ports]
    for url in urls:
        until_healthy(process, url)
    return Running(process, *urls)


def until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    """Return when the port answers; fail when the process ends or takes too long."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert process.poll() is None, "the simulator ended at its start"
        try:
            if requests.get(f"{url}/healthz", timeout=PATIENCE).status_code == 200:
                return
        except requests.ConnectionError:
            continue
    pytest.fail(f"{url} did not answer")


def end(running: Running) -> None:
    """End a simulator and the processes that hold its output."""
    running.process.kill()
    running.process.communicate(timeout=PATIENCE)
