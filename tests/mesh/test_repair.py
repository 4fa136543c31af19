"""The mesh repairs itself: the sweep finds what was lost and requests it again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.mesh import LocalMesh
from infra.local.process_specs import SimulatorOptions
from infra.topology import read_topology
from shared.contracts.minutes import ONE_MINUTE, floor_minute, manifest_name
from shared.gcp.storage import StorageBucket, storage_client
from shared.operations.planner_state import PlanStateStore
from tests.mesh.harness import MeshHarness, provision_feeds
from tests.support.waiting import wait_until

# The sweep begins ten minutes past due; of 14 minutes at least three are old enough.
PLANNED = 14


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("repair") / "state"


@pytest.fixture(scope="module")
def running(state: Path) -> Iterator[LocalMesh]:
    """Run one mesh for all tests of this module."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={"FEEDS": "domains", "PLAN_BACK": str(PLANNED), "LOG_FORMAT": "text"},
        simulator=SimulatorOptions(seed=5, lines=3),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, "domains"),
    ) as mesh:
        yield mesh


@pytest.fixture
def harness(running: LocalMesh, state: Path) -> MeshHarness:
    """Yield the mesh with empty state; each test leaves it without work in progress."""
    harness = MeshHarness(running)
    bucket = state / "storage" / harness.endpoints.bucket
    for file in [found for found in bucket.rglob("*") if found.is_file()]:
        file.unlink()
    for table in ("minutes", "domains_staging", "domains_history", "domains_recent", "domains_base"):
        harness.rows(f"DELETE FROM `{{d}}.{table}` WHERE TRUE")  # noqa: S608
    return harness


def plan(harness: MeshHarness) -> list[datetime]:
    """Run the planner, and return the published minutes, oldest first.

    They count as requested when they were due, so that the sweep need not wait ten minutes for them.
    """
    planned = harness.call("planner")["domains"]
    assert planned["published"] == PLANNED
    at = harness.endpoints
    store = PlanStateStore(StorageBucket(at.bucket, storage_client(at.project, at.storage)))
    known, generation = store.read("domains")
    assert known
    assert store.save("domains", known.model_copy(update={"late": ()}), generation)
    last = datetime.fromisoformat(planned["watermark"])
    return [last - timedelta(minutes=back) for back in reversed(range(PLANNED))]


def lose_backlog(harness: MeshHarness, state: Path) -> None:
    """Kill Pub/Sub and start it again, empty."""
    harness.mesh.kill("pubsub")
    for file in (state / "pubsub").iterdir():
        file.unlink()
    harness.mesh.start_part("pubsub")


def test_landings_that_were_never_loaded_are_loaded(harness: MeshHarness, state: Path) -> None:
    """When the loader's backlog is lost, the manifests in the bucket suffice to load the minutes."""
    harness.mesh.stop_part("loader")
    minutes = plan(harness)
    bucket = state / "storage" / harness.endpoints.bucket
    landed = [bucket / manifest_name("domains", minute) for minute in minutes]
    wait_until(lambda: all(file.exists() for file in landed), "every manifest")
    downloads = harness.control.stats().download_count
    lose_backlog(harness, state)
    harness.mesh.start_part("loader")
    swept = harness.call("planner", "/sweep")["domains"]
    harness.wait_for(minutes[: swept["asked"]], "loaded")
    assert harness.control.stats().download_count == downloads
    harness.call("merger")
    harness.assert_exact(minutes[: swept["asked"]])


def test_a_lost_state_object_leaves_no_hole(harness: MeshHarness, state: Path) -> None:
    """Without its state the planner continues from the ledger, without planning from scratch and without a gap."""
    minutes = plan(harness)
    harness.wait_for(minutes, "loaded")
    (state / "storage" / harness.endpoints.bucket / "state/planner/domains.json").unlink()
    planned = harness.call("planner")["domains"]
    assert planned["published"] < PLANNED
    watermark = datetime.fromisoformat(planned["watermark"])
    assert watermark - minutes[-1] == timedelta(minutes=planned["published"])
    harness.wait_for([watermark - timedelta(minutes=back) for back in range(planned["published"])], "loaded")


def test_a_ledger_restored_from_yesterday_learns_again(harness: MeshHarness) -> None:
    """Minutes that a restored ledger does not know are requested again and merged; no line counts twice."""
    minutes = plan(harness)
    harness.wait_for(minutes, "loaded")
    harness.call("merger")
    harness.rows("DELETE FROM `{d}.minutes` WHERE TRUE")
    swept = harness.call("planner", "/sweep")["domains"]
    forgotten = minutes[: swept["asked"]]
    assert len(forgotten) >= PLANNED - 11
    harness.wait_for(forgotten, "loaded", "merged")
    harness.call("merger")
    harness.wait_for(forgotten, "merged")
    harness.assert_exact(minutes)


def test_a_staging_table_restored_from_yesterday_is_loaded_again(harness: MeshHarness) -> None:
    """Loads that were lost before their merge are published again once the merge is overdue."""
    minutes = plan(harness)
    harness.wait_for(minutes, "loaded")
    harness.rows("DELETE FROM `{d}.domains_staging` WHERE TRUE")
    harness.rows("UPDATE `{d}.minutes` SET `at` = TIMESTAMP_SUB(`at`, INTERVAL 2 HOUR) WHERE TRUE")
    since = datetime.now(UTC)
    assert harness.call("planner", "/sweep")["domains"]["announced"] == PLANNED
    newest = f"SELECT COUNT(DISTINCT minute) AS n FROM `{{d}}.minutes` WHERE event = 'loaded' AND `at` >= '{since}'"  # noqa: S608
    wait_until(lambda: harness.rows(newest)[0]["n"] == PLANNED, "every load to be repeated")
    harness.call("merger")
    harness.assert_exact(minutes)


def test_a_lost_backlog_of_requests_is_asked_for_again(harness: MeshHarness, state: Path) -> None:
    """When Pub/Sub loses every request, the next sweep requests the overdue minutes again.

    This is the last test, because a download that was running when its message was lost may land at any time.
    """
    harness.control.set_faults({"kind": "unavailable"})
    minutes = plan(harness)
    lose_backlog(harness, state)
    harness.control.clear_faults()
    began = floor_minute(datetime.now(UTC))
    swept = harness.call("planner", "/sweep")["domains"]
    assert swept["asked"] >= PLANNED - 11
    harness.wait_for(minutes[: swept["asked"]], "loaded")
    harness.call("merger")
    harness.assert_exact(minutes[: swept["asked"]])
    again = harness.call("planner", "/sweep")["domains"]["asked"]
    # A minute that has come of age since then.
    assert again <= (floor_minute(datetime.now(UTC)) - began) // ONE_MINUTE
