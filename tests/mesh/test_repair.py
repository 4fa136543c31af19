"""The mesh repairs itself: what was lost on the way is found by the sweep and asked for again."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.mesh import LocalMesh
from infra.local.parts import SimulatorOptions
from infra.topology import read_topology
from shared.minutes import manifest_name
from tests.mesh.whole import Whole, provision_feeds
from tests.waiting import wait_until

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
def whole(running: LocalMesh, state: Path) -> Whole:
    """Lend the mesh as on its first day; each test leaves it with nothing on its way."""
    whole = Whole(running)
    bucket = state / "storage" / whole.endpoints.bucket
    for file in [found for found in bucket.rglob("*") if found.is_file()]:
        file.unlink()
    for table in ("minutes", "domains_staging", "domains_history", "domains_current"):
        whole.rows(f"DELETE FROM `{{d}}.{table}` WHERE TRUE")  # noqa: S608
    return whole


def plan(whole: Whole) -> list[datetime]:
    """Have the planner publish, and return its minutes, oldest first."""
    planned = whole.call("planner")["domains"]
    assert planned["published"] == PLANNED
    last = datetime.fromisoformat(planned["watermark"])
    return [last - timedelta(minutes=back) for back in reversed(range(PLANNED))]


def lose_backlog(whole: Whole, state: Path) -> None:
    """Kill Pub/Sub and start it again, empty."""
    whole.mesh.kill("pubsub")
    for file in (state / "pubsub").iterdir():
        file.unlink()
    whole.mesh.start_part("pubsub")


def test_landings_that_were_never_loaded_are_loaded(whole: Whole, state: Path) -> None:
    """The loader is down and then its backlog is lost: manifests in the bucket are enough to go on from."""
    whole.mesh.stop_part("loader")
    minutes = plan(whole)
    bucket = state / "storage" / whole.endpoints.bucket
    landed = [bucket / manifest_name("domains", minute) for minute in minutes]
    wait_until(lambda: all(file.exists() for file in landed), 60, "every manifest")
    downloads = whole.control.stats().download_count
    lose_backlog(whole, state)
    whole.mesh.start_part("loader")
    swept = whole.call("planner", "/sweep")["domains"]
    whole.wait_for(minutes[: swept["asked"]], "loaded")
    assert whole.control.stats().download_count == downloads
    whole.call("merger")
    whole.assert_exact(minutes[: swept["asked"]])


def test_a_lost_state_object_leaves_no_hole(whole: Whole, state: Path) -> None:
    """The planner goes on from the ledger: nothing is planned from scratch, nothing is skipped."""
    minutes = plan(whole)
    whole.wait_for(minutes, "loaded")
    (state / "storage" / whole.endpoints.bucket / "state/planner/domains.json").unlink()
    planned = whole.call("planner")["domains"]
    assert planned["published"] <= 2
    watermark = datetime.fromisoformat(planned["watermark"])
    assert watermark - minutes[-1] == timedelta(minutes=planned["published"])
    whole.wait_for([watermark - timedelta(minutes=back) for back in range(planned["published"])], "loaded")


def test_a_ledger_restored_from_yesterday_learns_again(whole: Whole) -> None:
    """The minutes that it forgot are asked for again, and end as merged; no line counts twice."""
    minutes = plan(whole)
    whole.wait_for(minutes, "loaded")
    whole.call("merger")
    whole.rows("DELETE FROM `{d}.minutes` WHERE TRUE")
    swept = whole.call("planner", "/sweep")["domains"]
    forgotten = minutes[: swept["asked"]]
    assert len(forgotten) >= PLANNED - 11
    whole.wait_for(forgotten, "loaded", "merged")
    whole.call("merger")
    whole.wait_for(forgotten, "merged")
    whole.assert_exact(minutes)


def test_a_staging_table_restored_from_yesterday_is_loaded_again(whole: Whole) -> None:
    """Loads that vanished before their merge are announced again once the merge is overdue, and arrive."""
    minutes = plan(whole)
    whole.wait_for(minutes, "loaded")
    whole.rows("DELETE FROM `{d}.domains_staging` WHERE TRUE")
    whole.rows("UPDATE `{d}.minutes` SET `at` = TIMESTAMP_SUB(`at`, INTERVAL 2 HOUR) WHERE TRUE")
    since = datetime.now(UTC)
    assert whole.call("planner", "/sweep")["domains"]["announced"] == PLANNED
    newest = f"SELECT COUNT(DISTINCT minute) AS n FROM `{{d}}.minutes` WHERE event = 'loaded' AND `at` >= '{since}'"  # noqa: S608
    wait_until(lambda: whole.rows(newest)[0]["n"] == PLANNED, 60, "every load to be repeated")
    whole.call("merger")
    whole.assert_exact(minutes)


def test_a_lost_backlog_of_requests_is_asked_for_again(whole: Whole, state: Path) -> None:
    """Pub/Sub dies with every request in it; one sweep later the minutes past due are on their way.

    The last test, for a download that was in hand when its message was lost may land whenever it does.
    """
    whole.control.set_faults({"kind": "unavailable"})
    minutes = plan(whole)
    lose_backlog(whole, state)
    whole.control.clear_faults()
    swept = whole.call("planner", "/sweep")["domains"]
    assert swept["asked"] >= PLANNED - 11
    whole.wait_for(minutes[: swept["asked"]], "loaded")
    whole.call("merger")
    whole.assert_exact(minutes[: swept["asked"]])
    assert whole.call("planner", "/sweep")["domains"]["asked"] == 0
