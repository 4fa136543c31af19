"""The SecOps simulator as a separate process, for the tests that use real HTTP."""

import subprocess
import sys
from dataclasses import dataclass

from infra.local.secops.client import SecOpsControl
from infra.local.tcp_ports import free_ports
from services.secops_forwarder.importer.client import Instance, SecOps, anonymous_session
from tests.support.paths import REPOSITORY
from tests.support.simulator import until_healthy
from tests.support.waiting import PATIENCE

LOG_TYPE = "GTI_IOC_STREAM_CUSTOM"
CUSTOMER = "0a1b2c3d"


@dataclass(frozen=True)
class RunningSecOps:
    """A running simulator, and its addresses."""

    process: subprocess.Popen[bytes]
    url: str

    @property
    def control(self) -> SecOpsControl:
        """Return a client of its control endpoint."""
        return SecOpsControl(self.url)

    @property
    def client(self) -> SecOps:
        """Return the forwarder's client of it."""
        return SecOps(Instance(self.url, "v1beta", "p", "us", CUSTOMER), anonymous_session)

    @property
    def import_url(self) -> str:
        """The address of logs:import."""
        return self.client.instance.url(LOG_TYPE)


def start_secops() -> RunningSecOps:
    """Start a simulator on a free port and return when it answers."""
    [port] = free_ports(1)
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
    running.process.wait(timeout=PATIENCE)
