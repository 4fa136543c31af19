"""The whole mesh with all five feeds: feeds are independent, and one without a licence stops none of the others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.mesh import LocalMesh
from infra.local.process_specs import SimulatorOptions
from infra.topology import read_topology
from shared.contracts.minutes import minutes_between
from shared.gcp.storage import StorageBucket, storage_client
from shared.operations.feed_conditions import FeedConditions
from shared.operations.planner_state import PlanStateStore
from tests.mesh.harness import MeshHarness, provision_feeds
from tests.mesh.test_command import run
from tests.support.waiting import wait_until

FEEDS = ("domains", "files", "urls", "ip_addresses", "file_behaviours")
FORBIDDEN = "urls"
LICENSED = [feed for feed in FEEDS if feed != FORBIDDEN]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("feeds") / "state"


@pytest.fixture(scope="module")
def harness(state: Path) -> Iterator[MeshHarness]:
    """Run the mesh with five feeds, one of which the key has no licence for."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={"FEEDS": ",".join(FEEDS), "PLAN_BACK": "2", "LOG_FORMAT": "text"},
        simulator=SimulatorOptions(seed=5, lines=3),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, *FEEDS),
    ) as mesh:
        running = MeshHarness(mesh)
        running.control.set_faults({"kind": "forbidden", "feed": FORBIDDEN})
        yield running


def bucket(harness: MeshHarness) -> StorageBucket:
    """Return the landing bucket."""
    endpoints = harness.endpoints
    return StorageBucket(endpoints.bucket, storage_client(endpoints.project, endpoints.storage))


def counted(harness: MeshHarness, state: str) -> dict[str, int]:
    """Return the number of each feed's minutes in a state."""
    sql = f"SELECT feed, COUNT(*) AS n FROM `{{d}}.minute_status` WHERE state = '{state}' GROUP BY feed"  # noqa: S608
    return {row["feed"]: row["n"] for row in harness.rows(sql)}


def test_a_feed_without_a_licence_is_reported_and_stops_no_other(harness: MeshHarness, state: Path) -> None:
    """The feed has one condition and no dead letter; every other feed's minutes are merged and balance."""
    planned = harness.call("planner")
    assert {feed: planned[feed]["published"] for feed in FEEDS} == dict.fromkeys(FEEDS, 2)
    wait_until(lambda: counted(harness, "loaded") == dict.fromkeys(LICENSED, 2), "four feeds to be loaded")
    wait_until(lambda: FeedConditions(bucket(harness)).read(FORBIDDEN) is not None, "the condition of one feed")
    merged = harness.call("merger")
    assert {feed: merged[feed]["lines"] for feed in FEEDS} == {**dict.fromkeys(LICENSED, 6), FORBIDDEN: 0}
    assert counted(harness, "dead") == {}
    status = run("status", "--json", "--state", str(state), folder=state.parent, FEEDS=",".join(FEEDS))
    [problem] = json.loads(status.stdout)["problems"]
    assert "urls: no package is given since" in problem
    assert "403 ForbiddenError" in problem
    audited = run("audit", "--deep", "--state", str(state), folder=state.parent, FEEDS=",".join(FEEDS))
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "urls: 2 minutes, 0 merged, 0 absent, 0 dead, 2 on their way" in audited.stdout
    assert audited.stdout.count("2 minutes, 2 merged") == len(LICENSED)


def test_a_feed_whose_licence_came_goes_on(harness: MeshHarness) -> None:
    """The first package that is allowed ends the condition, and the minutes before it are fetched as usual."""
    harness.control.clear_faults()
    planned, _ = PlanStateStore(bucket(harness)).read(FORBIDDEN)
    assert planned
    for minute in minutes_between(planned.first, planned.watermark):
        harness.publish("feed-minutes", {"feed": FORBIDDEN, "minute": f"{minute:%Y-%m-%dT%H:%MZ}"})
    wait_until(lambda: counted(harness, "loaded") == {FORBIDDEN: 2}, "the feed to be loaded")
    assert FeedConditions(bucket(harness)).read(FORBIDDEN) is None
    harness.call("merger")
    assert counted(harness, "merged") == dict.fromkeys(FEEDS, 2)
    [row] = harness.rows("SELECT COUNT(*) AS n FROM `{d}.urls_history`")
    assert row["n"] == 6
