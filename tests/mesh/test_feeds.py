"""The whole mesh with all five feeds: they keep apart, and a feed without a licence stops none of the others."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from infra.local.mesh import LocalMesh
from infra.local.parts import SimulatorOptions
from infra.topology import read_topology
from tests.mesh.test_command import run
from tests.mesh.whole import Whole, provision_feeds
from tests.waiting import wait_until

FEEDS = ("domains", "files", "urls", "ip_addresses", "file_behaviours")
FORBIDDEN = "urls"
LICENSED = [feed for feed in FEEDS if feed != FORBIDDEN]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("feeds") / "state"


@pytest.fixture(scope="module")
def whole(state: Path) -> Iterator[Whole]:
    """Run the mesh with five feeds, one of which VirusTotal does not give to this key."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={"FEEDS": ",".join(FEEDS), "PLAN_BACK": "2", "LOG_FORMAT": "text"},
        simulator=SimulatorOptions(seed=5, lines=3),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, *FEEDS),
    ) as mesh:
        running = Whole(mesh)
        running.control.set_faults({"kind": "forbidden", "feed": FORBIDDEN})
        yield running


def counted(whole: Whole, state: str) -> dict[str, int]:
    """Return how many minutes of each feed are in a state."""
    sql = f"SELECT feed, COUNT(*) AS n FROM `{{d}}.minute_status` WHERE state = '{state}' GROUP BY feed"  # noqa: S608
    return {row["feed"]: row["n"] for row in whole.rows(sql)}


def test_a_feed_without_a_licence_is_reported_and_stops_no_other(whole: Whole, state: Path) -> None:
    """Its minutes are dead with the reason in the ledger; every other feed's are merged, and their books balance."""
    planned = whole.call("planner")
    assert {feed: planned[feed]["published"] for feed in FEEDS} == dict.fromkeys(FEEDS, 2)
    wait_until(lambda: counted(whole, "loaded") == dict.fromkeys(LICENSED, 2), 120, "four feeds to be loaded")
    wait_until(lambda: counted(whole, "dead") == {FORBIDDEN: 2}, 60, "one feed to be dead-lettered")
    merged = whole.call("merger")
    assert {feed: merged[feed]["lines"] for feed in FEEDS} == {**dict.fromkeys(LICENSED, 6), FORBIDDEN: 0}
    reasons = {row["reason"] for row in whole.rows("SELECT reason FROM `{d}.minutes` WHERE event = 'dead'")}
    assert all("403" in reason and "the key's owner has no licence for it" in reason for reason in reasons)
    audited = run("audit", "--deep", "--state", str(state), folder=state.parent, FEEDS=",".join(FEEDS))
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert "urls: 2 minutes, 0 merged, 0 absent, 2 dead, 0 on their way" in audited.stdout
    assert audited.stdout.count("2 minutes, 2 merged") == len(LICENSED)


def test_a_feed_whose_licence_came_is_replayed(whole: Whole) -> None:
    """Dead minutes come in like any other once VirusTotal answers."""
    whole.control.clear_faults()
    minutes: list[datetime] = [
        row["minute"]
        for row in whole.rows(f"SELECT minute FROM `{{d}}.minute_status` WHERE feed = '{FORBIDDEN}'")  # noqa: S608
    ]
    for minute in minutes:
        whole.publish("feed-minutes", {"feed": FORBIDDEN, "minute": f"{minute:%Y-%m-%dT%H:%MZ}"})
    wait_until(lambda: counted(whole, "loaded") == {FORBIDDEN: 2}, 60, "the feed to be loaded")
    whole.call("merger")
    assert counted(whole, "merged") == dict.fromkeys(FEEDS, 2)
    [row] = whole.rows("SELECT COUNT(*) AS n FROM `{d}.urls_history`")
    assert row["n"] == 6
