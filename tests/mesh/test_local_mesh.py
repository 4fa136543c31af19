"""The local mesh as real processes, with fake services."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import requests

from infra.endpoints import read_endpoints
from infra.local.mesh import LocalMesh
from infra.local.process import ProcessFailed
from infra.local.process_specs import SIMULATOR_KEY, SimulatorOptions
from shared.contracts.outcomes import Misconfigured
from tests.mesh.recording_topology import recorded, recording_topology
from tests.support.pubsub import publish as publish_to
from tests.support.pubsub import retained_messages
from tests.support.waiting import PATIENCE, wait_until


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for the state folder and the record of the services' requests."""
    return tmp_path_factory.mktemp("mesh")


@pytest.fixture(scope="module")
def record(folder: Path) -> Path:
    """Return the record of the services' requests."""
    return folder / "record"


@pytest.fixture(scope="module")
def mesh(folder: Path, record: Path) -> Iterator[LocalMesh]:
    """A running mesh without schedules."""
    with pytest.MonkeyPatch.context() as caller:
        caller.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/somewhere/key.json")
        with LocalMesh(
            state=folder / "state",
            topology=recording_topology(),
            settings={"REQUEST_RECORD": str(record), "FEEDS": "domains"},
            simulator=SimulatorOptions(seed=3, lines=2),
            schedules=False,
        ) as running:
            yield running


def publish(mesh: LocalMesh, topic: str, body: str) -> None:
    """Publish a message."""
    publish_to(mesh.endpoints, topic, body.encode(), feed="domains")


def test_endpoints_file_tells_other_programs_where_everything_is(mesh: LocalMesh, folder: Path) -> None:
    """The file has the documented keys, and its addresses are those of the running mesh."""
    found = read_endpoints(folder / "state")
    assert found == mesh.endpoints
    assert set(mesh.endpoints.services) == set(recording_topology().services)
    assert (mesh.endpoints.project, mesh.endpoints.bucket) == ("gti-mesh-local", "gti-mesh-landing")
    assert mesh.endpoints.dataset == "vt_feeds"


def test_simulator_takes_the_services_key(mesh: LocalMesh) -> None:
    """The simulator accepts the services' VirusTotal settings."""
    url = f"{mesh.endpoints.virustotal}/feeds/domains/209901010000"
    refused = requests.get(url, headers={"x-apikey": "another"}, timeout=PATIENCE)
    known = requests.get(url, headers={"x-apikey": SIMULATOR_KEY}, timeout=PATIENCE)
    assert (refused.status_code, known.status_code) == (401, 400)


def test_taken_folder_names_who_holds_it(mesh: LocalMesh, folder: Path) -> None:
    """A second mesh on the same folder is refused in one line, and the first keeps running."""
    second = LocalMesh(state=folder / "state", topology=recording_topology(), fresh=True)
    with pytest.raises(Misconfigured, match=rf"^\S+ is in use by process {os.getpid()}; stop .*$"), second:
        pass
    assert read_endpoints(folder / "state")
    mesh.check()


def test_message_is_pushed_to_its_service(mesh: LocalMesh, record: Path) -> None:
    """A message on a topic reaches the service that the topology names, in a push envelope."""
    publish(mesh, "feed-minutes", "a minute")
    wait_until(lambda: bool(recorded(record, "downloader")), "the push to the downloader")
    seen = recorded(record, "downloader")[0]
    assert seen["body"] == "a minute"
    assert seen["attributes"] == {"feed": "domains"}
    assert seen["subscription"] == "projects/gti-mesh-local/subscriptions/downloader"


def test_spent_attempts_reach_the_ledger_and_are_kept(mesh: LocalMesh, record: Path) -> None:
    """A message that its service always refuses goes to loader-dead, and stays there for the operator to pull."""
    publish(mesh, "minutes-landed", "fail in loader")
    wait_until(lambda: bool(recorded(record, "loader-dead")), "the dead letter at loader-dead")
    assert recorded(record, "loader-dead")[0]["body"] == "fail in loader"
    assert len(recorded(record, "loader")) == 5
    wait_until(
        lambda: bool(retained_messages(mesh.endpoints, "minutes-landed-dead")),
        "the dead letter in the keeping subscription",
    )


def test_service_answers_a_plain_post(mesh: LocalMesh, record: Path) -> None:
    """A schedule, an operator or another program triggers a service by its address."""
    answer = requests.post(mesh.endpoints.services["planner"] + "/sweep", json={}, timeout=PATIENCE)
    assert answer.status_code == 200
    assert recorded(record, "planner")[-1]["path"] == "/sweep"


def test_services_see_the_mesh_and_nothing_of_the_callers_cloud(mesh: LocalMesh, record: Path) -> None:
    """Settings and emulator addresses reach the services; the caller's credentials do not."""
    requests.post(mesh.endpoints.services["merger"], json={}, timeout=PATIENCE).raise_for_status()
    seen = recorded(record, "merger")[-1]["environment"]
    assert mesh.endpoints.environment().items() <= seen.items()
    assert (seen["FEEDS"], seen["VT_API_KEY"]) == ("domains", SIMULATOR_KEY)
    assert "GOOGLE_APPLICATION_CREDENTIALS" not in seen
    assert Path(seen["HOME"]) == mesh.log("merger").parent.parent / "home" / "merger"


def test_everything_stays_on_this_machine(mesh: LocalMesh) -> None:
    """No part is reachable from another machine, and none connects to one."""
    connections = [
        connection
        for pid in mesh.pids.values()
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for connection in process.net_connections("inet")
    ]
    addresses = {end.ip for connection in connections for end in (connection.laddr, connection.raddr) if end}
    assert {address.removeprefix("::ffff:") for address in addresses} == {"127.0.0.1"}


def test_part_can_be_killed_and_started_again(mesh: LocalMesh, record: Path) -> None:
    """While a service is down its messages wait; the mesh keeps running."""
    mesh.kill("downloader")
    publish(mesh, "feed-minutes", "while down")
    mesh.check()
    mesh.start_part("downloader")
    wait_until(
        lambda: "while down" in [seen["body"] for seen in recorded(record, "downloader")],
        "the message that waited",
    )


def test_pubsub_started_again_has_its_topics_and_subscriptions(mesh: LocalMesh, record: Path) -> None:
    """The mesh creates topics and subscriptions again after Pub/Sub has lost them."""
    mesh.stop_part("pubsub")
    mesh.start_part("pubsub")
    publish(mesh, "minutes-landed", "after a restart")
    wait_until(
        lambda: "after a restart" in [seen["body"] for seen in recorded(record, "loader")],
        "the message published after the restart",
    )


def test_death_of_a_part_ends_the_wait_with_its_last_words(mesh: LocalMesh) -> None:
    """The error names the part, its exit code and its log."""
    os.kill(mesh.pids["merger"], signal.SIGKILL)
    with pytest.raises(ProcessFailed, match=r"^merger ended by itself with exit code -9; the end of .*merger.log:"):
        mesh.wait()
    mesh.kill("merger")
    mesh.start_part("merger")
