"""Fixtures for several tiers: the emulators, started once per session for the tests that need them."""

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest
import stamina
from hypothesis import HealthCheck, settings

from infra.endpoints import Endpoints
from infra.local.mesh import LocalMesh
from infra.local.prerequisites import find_emulator, find_java
from infra.local.virustotal.streams.client import ListsControl
from infra.topology import Topology
from shared.contracts.outcomes import Misconfigured
from tests.support.optional_tools import EMULATOR, not_run
from tests.support.secops import RunningSecOps, end_secops, start_secops
from tests.support.simulator import Running, end, start

# The time of an example says how busy the machine is, not whether the example holds.
settings.register_profile("without a deadline", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("without a deadline")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report at the end of the run which tests were skipped, and how to run them."""
    reports = terminalreporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports]
    if reasons:
        terminalreporter.section("not run")
        for line in not_run(reasons):
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Undo what a test changes in the environment, which tells Google's clients their addresses."""
    with patch.dict(os.environ):
        yield


@pytest.fixture(scope="session")
def official_emulator() -> None:
    """Skip where Java or the Pub/Sub emulator of the Google Cloud CLI is not installed."""
    try:
        find_java(os.environ)
        find_emulator(os.environ)
    except Misconfigured:
        pytest.skip(EMULATOR.reason)


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """Pub/Sub (GTI_MESH_PUBSUB says which), Cloud Storage with the landing bucket, and BigQuery.

    There is no topic, no dataset and no service. All tests of a session share them: each uses its own topics, datasets
    and object prefixes.
    """
    nothing = Topology(services={}, topics={}, subscriptions={}, schedules={})
    with LocalMesh(state=tmp_path_factory.mktemp("emulators"), topology=nothing, schedules=False) as mesh:
        yield mesh.endpoints
        mesh.check()


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[Running]:
    """Run one VirusTotal simulator for all tests of a session."""
    running = start()
    yield running
    end(running)


@pytest.fixture
def vt(simulator_process: Running) -> Iterator[Running]:
    """Yield the VirusTotal simulator in its initial state, and reset it afterwards, since all tests share it."""
    yield simulator_process
    simulator_process.control.reset()


@pytest.fixture
def lists(vt: Running) -> ListsControl:
    """Return the control of the simulator's lists, without automatic items."""
    control = ListsControl(vt.url)
    control.set_settings(flowing=False)
    return control


@pytest.fixture
def two_attempts() -> Iterator[None]:
    """Retry a call once, without waiting."""
    with stamina.set_testing(True, attempts=2):
        yield


@pytest.fixture(scope="session")
def secops_process() -> Iterator[RunningSecOps]:
    """Run one SecOps simulator for all tests of a session."""
    running = start_secops()
    yield running
    end_secops(running)


@pytest.fixture
def secops(secops_process: RunningSecOps) -> Iterator[RunningSecOps]:
    """Yield the SecOps simulator in its initial state, and reset it afterwards."""
    yield secops_process
    secops_process.control.reset()
