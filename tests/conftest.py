"""What several tiers need: the emulators, started once a session for those tests that ask for them."""

import os
from collections.abc import Iterator
from unittest.mock import patch

import pytest

from infra.local.endpoints import Endpoints
from infra.local.machine import find_emulator, find_java
from infra.local.mesh import LocalMesh
from infra.topology import Topology
from shared.outcomes import Misconfigured
from tests.secops import RunningSecOps, end_secops, start_secops
from tests.simulator import Running, end, start


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """Undo what a test, or the command that it runs, does to the environment: Google's clients are pointed by it."""
    with patch.dict(os.environ):
        yield


@pytest.fixture(scope="session")
def official_emulator() -> None:
    """Skip where Java or the Pub/Sub emulator of the Google Cloud CLI is not installed."""
    try:
        find_java(os.environ)
        find_emulator(os.environ)
    except Misconfigured as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def emulators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    """Pub/Sub (GTI_MESH_PUBSUB says which), Cloud Storage with the landing bucket, and BigQuery.

    There is no topic, no dataset and no service. All tests of a session share them: each takes
    topics, datasets and object prefixes of its own.
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
    """Lend the VirusTotal simulator in the state of its start, and bring it back to that: all tests share it."""
    yield simulator_process
    simulator_process.control.reset()


@pytest.fixture(scope="session")
def secops_process() -> Iterator[RunningSecOps]:
    """Run one SecOps simulator for all tests of a session."""
    running = start_secops()
    yield running
    end_secops(running)


@pytest.fixture
def secops(secops_process: RunningSecOps) -> Iterator[RunningSecOps]:
    """Lend the SecOps simulator in the state of its start, and bring it back to that."""
    yield secops_process
    secops_process.control.reset()
