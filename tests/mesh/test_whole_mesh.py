"""The whole mesh on one machine: every promise about a minute, from outside."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from infra.local.mesh import LocalMesh
from infra.local.parts import SIMULATOR_KEY, SimulatorOptions
from infra.local.virustotal.feeds import package_name
from infra.topology import read_topology
from shared.minutes import format_minute
from tests.mesh.whole import Whole, due_minutes, provision_feeds
from tests.waiting import wait_until

# Each test takes minutes of its own, so that they share one mesh.
ONE_HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("whole") / "state"


@pytest.fixture(scope="module")
def running(state: Path) -> Iterator[Whole]:
    """Run the whole mesh without schedules; tests call the services as schedules would."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={"FEEDS": "domains", "PLAN_BACK": "4", "LOG_FORMAT": "json"},
        simulator=SimulatorOptions(seed=11, lines=5),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, "domains"),
    ) as mesh:
        yield Whole(mesh)


@pytest.fixture
def whole(running: Whole) -> Whole:
    """Return the mesh with a simulator that behaves."""
    running.control.reset()
    return running


def test_planned_minutes_arrive_and_count_once(whole: Whole) -> None:
    """From a tick of the planner to rows that equal the source's lines; asking twice changes nothing."""
    planned = whole.call("planner")["domains"]
    assert planned["published"] == 4
    last = datetime.fromisoformat(planned["watermark"])
    minutes = [last - timedelta(minutes=back) for back in range(4)]
    whole.wait_for(minutes, "loaded")
    whole.call("merger")
    whole.assert_exact(minutes)
    whole.bring_in(minutes)
    whole.assert_exact(minutes)


def test_a_minute_published_by_hand_is_a_minute_like_any_other(whole: Whole) -> None:
    """Feed and minute are enough, without seconds and without attributes."""
    [minute] = due_minutes(1, ago=2 * ONE_HOUR)
    whole.publish("feed-minutes", {"feed": "domains", "minute": f"{minute:%Y-%m-%dT%H:%MZ}"})
    whole.wait_for([minute], "loaded")
    whole.call("merger")
    whole.assert_exact([minute])


def test_trouble_at_the_source_delays_and_loses_nothing(whole: Whole) -> None:
    """A cut package, a refused key and a storm of errors heal by redelivery."""
    minutes = due_minutes(4, ago=3 * ONE_HOUR)
    kinds = ("cut", "unauthorized", "unavailable", "corrupt")
    whole.control.set_faults(
        *(
            {"kind": kind, "minute": package_name(minute), "times": 2}
            for kind, minute in zip(kinds, minutes, strict=True)
        )
    )
    whole.bring_in(minutes)
    whole.assert_exact(minutes)


def test_a_replay_out_of_order_never_brings_an_older_version_back(whole: Whole) -> None:
    """Newer minutes first, older ones later: each id shows the version with the newest dates."""
    minutes = due_minutes(6, ago=4 * ONE_HOUR)
    for minute in reversed(minutes):
        whole.bring_in([minute])
    whole.assert_exact(minutes)
    newest: dict[str, tuple[int, int]] = {}
    for minute in minutes:
        for text in whole.control.truth("domains", minute).splitlines():
            line = json.loads(text)
            dates = line["attributes"]["last_analysis_date"], line["attributes"]["last_modification_date"]
            newest[line["id"]] = max(dates, newest.get(line["id"], (0, 0)))
    shown = {
        row["id"]: (int(row["last_analysis_date"].timestamp()), int(row["last_modification_date"].timestamp()))
        for row in whole.rows("SELECT id, last_analysis_date, last_modification_date FROM `{d}.domains`")
    }
    assert {name: shown[name] for name in newest if shown[name] < newest[name]} == {}


def test_poison_is_in_the_ledger_with_its_reason(whole: Whole) -> None:
    """What can never succeed is recorded with reason and attempts, and blocks nobody."""
    whole.publish("feed-minutes", b"{ no json", feed="domains")
    whole.publish("feed-minutes", {"feed": "domains", "minute": "2026-11-21T14:10:30Z"})
    whole.publish("minutes-landed", {"event": "landed", "feed": "domains"})
    sql = "SELECT reason, attempts, source FROM `{d}.minutes` WHERE event = 'dead'"
    wait_until(lambda: len(whole.rows(sql)) >= 3, 60, "three dead letters in the ledger")
    reasons = " ".join(row["reason"] for row in whole.rows(sql))
    for part in ("cannot be read", "is not a whole UTC minute", "uri: missing"):
        assert part in reasons


def test_attempts_that_are_spent_are_recorded_and_tried_once_more(whole: Whole) -> None:
    """A minute that dies of a long outage is tried again by the next sweep, and arrives."""
    planned = whole.call("planner")["domains"]
    watermark = datetime.fromisoformat(planned["watermark"])
    minute = watermark - timedelta(minutes=30)
    whole.control.set_faults({"kind": "unauthorized", "minute": package_name(minute)})
    whole.ask([minute])
    whole.wait_for([minute], "dead", seconds=120)
    [row] = whole.rows(
        f"SELECT reason FROM `{{d}}.minute_status` WHERE minute = TIMESTAMP '{format_minute(minute)}'"  # noqa: S608
    )
    assert row["reason"].startswith("attempts spent")
    whole.control.clear_faults()
    whole.call("planner", "/sweep")
    whole.wait_for([minute], "loaded")
    whole.call("merger")
    whole.assert_exact([minute])


def test_a_minute_missing_at_the_source_ends_as_absent(whole: Whole) -> None:
    """A 404 eight hours after the minute is the source's last word."""
    [minute] = due_minutes(1, ago=8 * ONE_HOUR)
    whole.control.set_faults({"kind": "missing", "minute": package_name(minute)})
    whole.ask([minute])
    whole.wait_for([minute], "absent")


def test_a_minute_without_lines_is_merged_at_once(whole: Whole) -> None:
    """An empty package needs no load job and no merge."""
    [minute] = due_minutes(1, ago=9 * ONE_HOUR)
    whole.control.set_faults({"kind": "empty", "minute": package_name(minute)})
    whole.ask([minute])
    whole.wait_for([minute], "merged")


def test_bad_lines_are_counted_and_kept(whole: Whole) -> None:
    """Lines in the package are rows in history plus rejects, and each reject has its reason in the bucket."""
    [minute] = due_minutes(1, ago=10 * ONE_HOUR)
    whole.control.set_faults({"kind": "bad_lines", "count": 2, "minute": package_name(minute)})
    whole.bring_in([minute])
    [row] = whole.rows(
        f"SELECT lines, rejected, uri FROM `{{d}}.minute_status` WHERE minute = TIMESTAMP '{format_minute(minute)}'"  # noqa: S608
    )
    assert (row["lines"], row["rejected"]) == (5, 2)
    at = format_minute(minute)
    [kept] = whole.rows(f"SELECT COUNT(*) AS n FROM `{{d}}.domains_history` WHERE feed_minute = TIMESTAMP '{at}'")  # noqa: S608
    assert kept["n"] == 3


def test_a_forced_replay_of_unchanged_content_changes_nothing(whole: Whole) -> None:
    """The package is fetched again, found equal, and announced as it landed."""
    [minute] = due_minutes(1, ago=11 * ONE_HOUR)
    whole.bring_in([minute])
    before = whole.rows("SELECT COUNT(*) AS n FROM `{d}.domains_history`")
    whole.ask([minute], force=True)
    name = package_name(minute)
    wait_until(lambda: whole.control.stats().downloaded("domains", name).get(200) == 2, 30, "a second download")
    whole.bring_in([minute])
    assert whole.rows("SELECT COUNT(*) AS n FROM `{d}.domains_history`") == before


def test_a_source_that_changed_its_mind_is_dead_lettered(whole: Whole) -> None:
    """What landed stays; the new content is kept beside it for an operator to see."""
    [minute] = due_minutes(1, ago=12 * ONE_HOUR)
    whole.bring_in([minute])
    whole.control.set_faults({"kind": "changed", "minute": package_name(minute)})
    whole.ask([minute], force=True)
    at = format_minute(minute)
    sql = f"SELECT reason FROM `{{d}}.minutes` WHERE event = 'dead' AND minute = TIMESTAMP '{at}'"  # noqa: S608
    wait_until(lambda: bool(whole.rows(sql)), 60, "the dead letter")
    assert whole.rows(sql)[0]["reason"].startswith("source changed")
    whole.control.clear_faults()
    whole.assert_exact([minute])
    assert whole.states()[minute] == "merged"


def test_the_api_key_is_nowhere_but_in_the_requests(whole: Whole, state: Path) -> None:
    """Not at the redirect's host, not in a log, not in an object."""
    assert whole.control.stats().keys_at_download_port == 0
    holders = [file for file in state.rglob("*") if file.is_file() and SIMULATOR_KEY.encode() in file.read_bytes()]
    assert not holders


def test_two_merges_at_once_are_one_merge(whole: Whole) -> None:
    """The second call says that the merger is busy, or finds nothing left to do; nothing is counted twice."""
    minutes = due_minutes(3, ago=13 * ONE_HOUR)
    whole.ask(minutes)
    whole.wait_for(minutes, "loaded")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: whole.call("merger"), range(2)))
    assert sum(answer.get("domains", {}).get("lines", 0) for answer in answers) == 15
    whole.assert_exact(minutes)


def test_bigquery_away_for_a_while_loses_nothing(whole: Whole) -> None:
    """Loads wait for BigQuery to come back."""
    minutes = due_minutes(2, ago=14 * ONE_HOUR)
    whole.mesh.stop_part("bigquery")
    whole.ask(minutes)
    bucket = whole.mesh.log("loader")
    wait_until(lambda: "push.retry" in bucket.read_text(), 60, "the loader to be refused")
    whole.mesh.start_part("bigquery")
    whole.wait_for(minutes, "loaded")
    whole.call("merger")
    whole.assert_exact(minutes)


def test_a_minute_leaves_one_trace_in_every_log(whole: Whole) -> None:
    """The trace of the request that asked for it stands in the lines of downloader and loader, with its minute."""
    [minute] = due_minutes(1, ago=15 * ONE_HOUR)
    at, trace = format_minute(minute), secrets.token_hex(16)
    body = {"feed": "domains", "first": at, "last": at}
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = requests.post(f"{whole.endpoints.services['planner']}/replay", json=body, headers=headers, timeout=60)
    answer.raise_for_status()
    whole.wait_for([minute], "loaded", "merged")
    for service, message in (("downloader", "downloader.landed"), ("loader", "loader.loaded")):
        lines = [json.loads(line) for line in whole.mesh.log(service).read_text().splitlines() if trace in line]
        [said] = [line for line in lines if line["message"].startswith(message)]
        assert said["minute"] == at
        assert said["logging.googleapis.com/trace"] == f"projects/{whole.endpoints.project}/traces/{trace}"
