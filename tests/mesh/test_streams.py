"""A stream through the whole mesh into BigQuery, without SecOps: every notification once, whatever is killed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.mesh import LocalMesh
from infra.local.process_specs import SIMULATOR_KEY, SimulatorOptions
from infra.local.secops.client import SecOpsControl
from infra.local.virustotal.streams.client import ListsControl
from infra.topology import read_topology
from services.secops_forwarder.build import build_poller
from services.secops_forwarder.settings import SecOpsSettings
from shared.contracts.minutes import ONE_HOUR
from shared.feeds.definition import period_of
from shared.gcp.storage import StorageBucket, storage_client
from shared.runtime.settings import read_settings
from shared.streams.page_log import page_name
from tests.mesh.harness import MeshHarness, provision_feeds
from tests.mesh.test_command import run
from tests.support.memory import MemoryPublisher
from tests.support.waiting import wait_until

STREAM = "ioc_stream"
SETTINGS = {"FEEDS": "", "STREAMS": STREAM, "STREAMS_TO_SECOPS": "", "STREAMS_TO_BIGQUERY": STREAM}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("streams") / "state"


@pytest.fixture(scope="module")
def harness(state: Path) -> Iterator[MeshHarness]:
    """Run the mesh with one stream and no feed, without automatic notifications."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={**SETTINGS, "PLAN_BACK": "240", "LOG_FORMAT": "text"},
        simulator=SimulatorOptions(notification_seconds=0),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, STREAM),
    ) as mesh:
        yield MeshHarness(mesh)
        mesh.check()


@pytest.fixture
def lists(harness: MeshHarness) -> ListsControl:
    """Return the control of the lists."""
    return ListsControl(str(harness.endpoints.virustotal_control))


@pytest.fixture(scope="module")
def hour() -> datetime:
    """Return an hour that is complete, and that the planner asks for at its start."""
    return period_of(STREAM).last_due(datetime.now(UTC)) - 2 * ONE_HOUR


@dataclass(frozen=True)
class Collected:
    """The notifications in the pages of the hour, and the number of hours that the planner asked for."""

    ids: list[str]
    hours: int


@pytest.fixture(scope="module")
def collected(harness: MeshHarness, hour: datetime) -> Collected:
    """Poll twice within the hour, and plan."""
    lists = ListsControl(str(harness.endpoints.virustotal_control))
    ids = lists.add(hour - timedelta(minutes=30), count=45, spacing=20)
    poll(harness, hour + timedelta(minutes=10))
    ids += lists.add(hour + timedelta(minutes=12), count=30, spacing=20)
    poll(harness, hour + timedelta(minutes=30))
    return Collected(ids, harness.call("planner")[STREAM]["published"])


def poll(harness: MeshHarness, now: datetime) -> None:
    """Poll as a process did whose clock showed a time."""
    own = {"VT_API_KEY": SIMULATOR_KEY, "CHRONICLE_CUSTOMER_ID": "0", **SETTINGS}
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**harness.endpoints.environment(), **own}.items():
            environment.setenv(name, value)
        settings = read_settings(SecOpsSettings)
        poller = build_poller(settings, bucket(harness), MemoryPublisher(), now=lambda: now)
        poller.poll(settings.polled()[0])


def merge(harness: MeshHarness, collected: Collected) -> None:
    """Wait until every hour is loaded, and merge."""

    def loaded() -> bool:
        states = [*harness.states().values()]
        return len(states) == collected.hours and set(states) <= {"loaded", "merged"}

    wait_until(loaded, "every hour to be loaded")
    harness.call("merger")


def bucket(harness: MeshHarness) -> StorageBucket:
    """Return the landing bucket."""
    endpoints = harness.endpoints
    return StorageBucket(endpoints.bucket, storage_client(endpoints.project, endpoints.storage))


def counted(harness: MeshHarness) -> dict[str, int]:
    """Return how many rows the newest versions have of each notification."""
    rows = harness.rows("SELECT id, COUNT(*) AS n FROM `{d}.ioc_stream_current` GROUP BY id")
    return {row["id"]: row["n"] for row in rows}


def command(state: Path, *arguments: str) -> tuple[int, str]:
    """Run a command on the mesh; return its exit code and output."""
    done = run(*arguments, "--state", str(state), folder=state.parent)
    return done.returncode, done.stdout + done.stderr


def test_notifications_reach_bigquery_once_each(harness: MeshHarness, collected: Collected, state: Path) -> None:
    """The hours land, load and merge as those of feeds do, while downloader, loader and merger are killed."""
    assert collected.hours >= 4
    for part in ("downloader", "loader"):
        harness.mesh.kill(part)
        harness.mesh.start_part(part)
    wait_until(lambda: bool({"loaded", "merged"} & set(harness.states().values())), "an hour to be loaded")
    harness.mesh.kill("merger")
    harness.mesh.start_part("merger")
    merge(harness, collected)
    assert counted(harness) == dict.fromkeys(collected.ids, 1)
    [row] = harness.rows("SELECT COUNT(*) AS n, COUNT(DISTINCT feed_minute) AS hours FROM `{d}.ioc_stream_history`")
    assert (row["n"], row["hours"]) == (75, 1)
    code, said = command(state, "audit", "--deep")
    assert code == 0, said
    assert SecOpsControl(str(harness.endpoints.secops)).stats().request_count == 0


@pytest.mark.usefixtures("collected")
def test_the_poll_writes_pages_for_bigquery_alone(harness: MeshHarness, lists: ListsControl, state: Path) -> None:
    """The service collects without delivering, and the status has nothing to complain about."""
    lists.add(datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=3), count=3)
    polled = harness.call("secops-poll")[STREAM]
    assert polled["notifications"] == 3
    code, said = command(state, "status", "--json")
    assert code == 0, said
    status = json.loads(said)
    assert status["problems"] == []
    assert status["feeds"][STREAM]["gaps"] == []


def test_a_late_page_is_named_and_loaded_by_the_replay(
    harness: MeshHarness, lists: ListsControl, collected: Collected, hour: datetime, state: Path
) -> None:
    """A poll stood still after it had noted the time: the audit names its page, and the step that loads it."""
    merge(harness, collected)
    lists.add(datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=3), count=3)
    harness.call("secops-poll")
    store, before = bucket(harness), counted(harness)
    # The first page after those of the hour.
    newest = page_name(STREAM, 3)
    stored = store.read(newest)
    assert stored
    noted = (hour + timedelta(minutes=50)).strftime("%Y-%m-%dT%H:%M:00Z")
    page = json.loads(stored.data)
    store.delete(newest)
    assert store.create(newest, json.dumps({**page, "landed_at": noted}).encode())
    code, said = command(state, "audit")
    assert code == 1, said
    written = f"{hour:%Y-%m-%dT%H:%MZ}"
    replay = ("replay", STREAM, written, written, "--force", "--replace")
    # The pages of this test are all written now, so the first page of the hour stands for all of them.
    assert f"was written after {hour:%Y-%m-%dT%H:%M:00Z} had landed, which has 75 of 78 items" in said
    assert f"gti-mesh {' '.join(replay)}" in said
    code, said = command(state, *replay, "--yes", "--wait")
    assert code == 0, said
    late = {str(item["context_attributes"]["notification_id"]): 1 for item in page["items"]}
    assert counted(harness) == {**before, **late}
    code, said = command(state, "audit", "--deep")
    assert code == 0, said
