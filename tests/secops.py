"""The SecOps simulator as a process of its own, for the tests that talk to it over real HTTP."""

import subprocess
import sys
from dataclasses import dataclass

from infra.local.secops.client import SecOpsControl
from shared.secops.client import Instance, SecOps, anonymous_session
from tests.simulator import REPOSITORY, TIMEOUT, free_port, until_healthy

LOG_TYPE = "GTI_IOC_STREAM"
CUSTOMER = "0a1b2c3d"


@dataclass(frozen=True)
class RunningSecOps:
    """A simulator that runs, and how to reach it."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def control(self) -> SecOpsControl:
        """A client of its control endpoint."""
        return SecOpsControl(self.url)

    @property
    def client(self) -> SecOps:
        """The forwarder's own client of it."""
        return SecOps(Instance(self.url, "v1beta", "p", "us", CUSTOMER), anonymous_session)

    @property
    def import_url(self) -> str:
        """The address of logs:import."""
        return self.client.instance.url(LOG_TYPE)


def start_secops() -> RunningSecOps:
    """Start a simulator on a free port and return when it answers."""
    port = free_port()
    command = [sys.executable, "-m", "infra.local.secops", "--port", str(port)]
    process = subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=REPOSITORY
    )
    url = f"http://127.0.0.1:{port}"
    until_healthy(process, url)
    return RunningSecOps(process, url)


def end_secops(running: RunningSecOps) -> None:
    """End a simulator."""
    running.process.kill()
    running.process.wait(timeout=TIMEOUT)
