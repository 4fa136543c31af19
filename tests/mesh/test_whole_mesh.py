"""The whole mesh on one machine: every promise about a minute, tested from outside."""

import json
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from infra.local.mesh import LocalMesh
from infra.local.process_specs import SIMULATOR_KEY, SimulatorOptions
from infra.local.virustotal.feeds import package_name
from infra.topology import read_topology
from shared.contracts.minutes import format_minute
from tests.mesh.harness import MeshHarness, due_minutes, provision_feeds
from tests.support.waiting import PATIENCE, wait_until

# Each test takes minutes of its own, so that they share one mesh.
ONE_HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("whole") / "state"


@pytest.fixture(scope="module")
def running(state: Path) -> Iterator[MeshHarness]:
    """Run the whole mesh without schedules; tests call the services as schedules do."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={"FEEDS": "domains", "PLAN_BACK": "4", "LOG_FORMAT": "json"},
        simulator=SimulatorOptions(seed=11, lines=5),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, "domains"),
    ) as mesh:
        yield MeshHarness(mesh)


@pytest.fixture
def harness(running: MeshHarness) -> MeshHarness:
    """Return the mesh with a simulator without faults."""
    running.control.reset()
    return running


def test_planned_minutes_arrive_and_count_once(harness: MeshHarness) -> None:
    """A planned minute becomes rows equal to the source's lines; a second request changes nothing."""
    planned = harness.call("planner")["domains"]
    assert planned["published"] == 4
    last = datetime.fromisoformat(planned["watermark"])
    minutes = [last - timedelta(minutes=back) for back in range(4)]
    harness.wait_for(minutes, "loaded")
    harness.call("merger")
    harness.assert_exact(minutes)
    harness.bring_in(minutes)
    harness.assert_exact(minutes)


def test_a_minute_published_by_hand_is_a_minute_like_any_other(harness: MeshHarness) -> None:
    """A message with feed and minute is enough, without seconds and without attributes."""
    [minute] = due_minutes(1, ago=2 * ONE_HOUR)
    harness.publish("feed-minutes", {"feed": "domains", "minute": f"{minute:%Y-%m-%dT%H:%MZ}"})
    harness.wait_for([minute], "loaded")
    harness.call("merger")
    harness.assert_exact([minute])


def test_trouble_at_the_source_delays_and_loses_nothing(harness: MeshHarness) -> None:
    """A cut package, a refused key and a series of errors are resolved by redelivery."""
    minutes = due_minutes(4, ago=3 * ONE_HOUR)
    kinds = ("cut", "unauthorized", "unavailable", "corrupt")
    harness.control.set_faults(
        *(
            {"kind": kind, "minute": package_name(minute), "times": 2}
            for kind, minute in zip(kinds, minutes, strict=True)
        )
    )
    harness.bring_in(minutes)
    harness.assert_exact(minutes)


STRAY_ANSWERS: list[dict[str, object]] = [
    {"kind": "not_available_yet"},
    {"kind": "no_message"},
    {"kind": "redirect_encoded", "times": 100},
]
STRAY_ANSWERS += [{"kind": "storage_error", "status": status} for status in (400, 401, 403, 404, 408, 410, 412)]
STRAY_ANSWERS += [{"kind": "proxy", "status": status} for status in (403, 404, 408, 425, 429, 499)]


def test_no_stray_answer_is_the_end_of_a_minute(harness: MeshHarness) -> None:
    """Every minute is merged although its 404 would be final by its age, and none was ever dead or absent."""
    minutes = due_minutes(len(STRAY_ANSWERS), ago=9 * ONE_HOUR)
    faults = zip(STRAY_ANSWERS, minutes, strict=True)
    harness.control.set_faults(*({"times": 1, **fault, "minute": package_name(minute)} for fault, minute in faults))
    not_yet = minutes[:2]
    # An ack that changes nothing; the sweep would ask again, or here the test.
    harness.ask(not_yet)
    answered = [package_name(minute) for minute in not_yet]
    wait_until(lambda: all(harness.control.stats().requested("domains", name) for name in answered), "two answers")
    harness.bring_in(minutes)
    harness.assert_exact(minutes)
    first, last = format_minute(minutes[0]), format_minute(minutes[-1])
    events = harness.rows(
        f"SELECT DISTINCT event FROM `{{d}}.minutes` WHERE minute BETWEEN '{first}' AND '{last}'"  # noqa: S608
    )
    assert {row["event"] for row in events} == {"landed", "loaded", "merged"}


def test_a_replay_out_of_order_never_brings_an_older_version_back(harness: MeshHarness) -> None:
    """With newer minutes first and older ones later, each id keeps the version with the newest dates."""
    minutes = due_minutes(6, ago=4 * ONE_HOUR)
    for minute in reversed(minutes):
        harness.bring_in([minute])
    harness.assert_exact(minutes)
    newest: dict[str, tuple[int, int]] = {}
    for minute in minutes:
        for text in harness.control.truth("domains", minute).splitlines():
            line = json.loads(text)
            dates = line["attributes"]["last_analysis_date"], line["attributes"]["last_modification_date"]
            newest[line["id"]] = max(dates, newest.get(line["id"], (0, 0)))
    shown = {
        row["id"]: (int(row["last_analysis_date"].timestamp()), int(row["last_modification_date"].timestamp()))
        for row in harness.rows("SELECT id, last_analysis_date, last_modification_date FROM `{d}.domains`")
    }
    assert {name: shown[name] for name in newest if shown[name] < newest[name]} == {}


def test_poison_is_in_the_ledger_with_its_reason(harness: MeshHarness) -> None:
    """A permanent failure is recorded with its reason and attempts, and blocks nothing."""
    harness.publish("feed-minutes", b"{ no json", feed="domains")
    harness.publish("feed-minutes", {"feed": "domains", "minute": "2026-11-21T14:10:30Z"})
    harness.publish("minutes-landed", {"event": "landed", "feed": "domains"})
    sql = "SELECT reason, attempts, source FROM `{d}.minutes` WHERE event = 'dead'"
    wait_until(lambda: len(harness.rows(sql)) >= 3, "three dead letters in the ledger")
    reasons = " ".join(row["reason"] for row in harness.rows(sql))
    for part in ("cannot be read", "is not a whole UTC minute", "uri: missing"):
        assert part in reasons


def test_attempts_that_are_spent_are_recorded_and_the_minute_can_be_replayed(harness: MeshHarness) -> None:
    """A minute that became a dead letter in a long outage has a reason.

    The sweep does not request it for an hour; an operator can.
    """
    planned = harness.call("planner")["domains"]
    watermark = datetime.fromisoformat(planned["watermark"])
    minute = watermark - timedelta(minutes=30)
    harness.control.set_faults({"kind": "unauthorized", "minute": package_name(minute)})
    harness.ask([minute])
    harness.wait_for([minute], "dead")
    [row] = harness.rows(
        f"SELECT reason FROM `{{d}}.minute_status` WHERE minute = TIMESTAMP '{format_minute(minute)}'"  # noqa: S608
    )
    assert row["reason"].startswith("attempts spent")
    assert "; the last error: " in row["reason"]
    harness.control.clear_faults()
    swept = harness.call("planner", "/sweep")["domains"]
    assert swept["asked"] == 0
    harness.ask([minute])
    harness.wait_for([minute], "loaded")
    harness.call("merger")
    harness.assert_exact([minute])


def test_a_minute_missing_at_the_source_ends_as_absent(harness: MeshHarness) -> None:
    """A minute that is still 404 after eight hours becomes absent."""
    [minute] = due_minutes(1, ago=8 * ONE_HOUR)
    harness.control.set_faults({"kind": "missing", "minute": package_name(minute)})
    harness.ask([minute])
    harness.wait_for([minute], "absent")


def test_a_minute_without_lines_is_merged_at_once(harness: MeshHarness) -> None:
    """An empty package needs no load job and no merge."""
    [minute] = due_minutes(1, ago=9 * ONE_HOUR)
    harness.control.set_faults({"kind": "empty", "minute": package_name(minute)})
    harness.ask([minute])
    harness.wait_for([minute], "merged")


def test_bad_lines_are_counted_and_kept(harness: MeshHarness) -> None:
    """The package's lines equal rows in history plus rejects; each reject has its reason in the bucket."""
    [minute] = due_minutes(1, ago=10 * ONE_HOUR)
    harness.control.set_faults({"kind": "bad_lines", "count": 2, "minute": package_name(minute)})
    harness.bring_in([minute])
    [row] = harness.rows(
        f"SELECT lines, rejected, uri FROM `{{d}}.minute_status` WHERE minute = TIMESTAMP '{format_minute(minute)}'"  # noqa: S608
    )
    assert (row["lines"], row["rejected"]) == (5, 2)
    at = format_minute(minute)
    [kept] = harness.rows(f"SELECT COUNT(*) AS n FROM `{{d}}.domains_history` WHERE feed_minute = TIMESTAMP '{at}'")  # noqa: S608
    assert kept["n"] == 3


def test_a_forced_replay_of_unchanged_content_changes_nothing(harness: MeshHarness) -> None:
    """The package is fetched again, found equal, and published as it landed."""
    [minute] = due_minutes(1, ago=11 * ONE_HOUR)
    harness.bring_in([minute])
    before = harness.rows("SELECT COUNT(*) AS n FROM `{d}.domains_history`")
    harness.ask([minute], force=True)
    name = package_name(minute)
    wait_until(lambda: harness.control.stats().downloaded("domains", name).get(200) == 2, "a second download")
    harness.bring_in([minute])
    assert harness.rows("SELECT COUNT(*) AS n FROM `{d}.domains_history`") == before


def test_a_source_that_changed_its_mind_is_dead_lettered(harness: MeshHarness) -> None:
    """The landed content stays; the new content is kept separately for an operator."""
    [minute] = due_minutes(1, ago=12 * ONE_HOUR)
    harness.bring_in([minute])
    harness.control.set_faults({"kind": "changed", "minute": package_name(minute)})
    harness.ask([minute], force=True)
    at = format_minute(minute)
    sql = f"SELECT reason FROM `{{d}}.minutes` WHERE event = 'dead' AND minute = TIMESTAMP '{at}'"  # noqa: S608
    wait_until(lambda: bool(harness.rows(sql)), "the dead letter")
    assert harness.rows(sql)[0]["reason"].startswith("source changed")
    harness.control.clear_faults()
    harness.assert_exact([minute])
    assert harness.states()[minute] == "merged"


def test_the_api_key_is_nowhere_but_in_the_requests(harness: MeshHarness, state: Path) -> None:
    """The key does not reach the redirect's host, a log or an object."""
    assert harness.control.stats().keys_at_download_port == 0
    holders = [file for file in state.rglob("*") if file.is_file() and SIMULATOR_KEY.encode() in file.read_bytes()]
    assert not holders


def test_two_merges_at_once_are_one_merge(harness: MeshHarness) -> None:
    """The second call reports that the merger is busy or finds nothing to do; nothing is counted twice."""
    minutes = due_minutes(3, ago=13 * ONE_HOUR)
    harness.ask(minutes)
    harness.wait_for(minutes, "loaded")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: harness.call("merger"), range(2)))
    assert sum(answer.get("domains", {}).get("lines", 0) for answer in answers) == 15
    harness.assert_exact(minutes)


def test_bigquery_away_for_a_while_loses_nothing(harness: MeshHarness) -> None:
    """Loads wait until BigQuery is back."""
    minutes = due_minutes(2, ago=14 * ONE_HOUR)
    harness.mesh.stop_part("bigquery")
    harness.ask(minutes)
    bucket = harness.mesh.log("loader")
    wait_until(lambda: "push.retry" in bucket.read_text(), "the loader to be refused")
    harness.mesh.start_part("bigquery")
    harness.wait_for(minutes, "loaded")
    harness.call("merger")
    harness.assert_exact(minutes)


def test_a_minute_leaves_one_trace_in_every_log(harness: MeshHarness) -> None:
    """The trace of the request is in the log lines of downloader and loader, with the minute."""
    [minute] = due_minutes(1, ago=15 * ONE_HOUR)
    at, trace = format_minute(minute), secrets.token_hex(16)
    body = {"feed": "domains", "first": at, "last": at}
    headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
    answer = requests.post(
        f"{harness.endpoints.services['planner']}/replay", json=body, headers=headers, timeout=PATIENCE
    )
    answer.raise_for_status()
    harness.wait_for([minute], "loaded", "merged")
    for service, message in (("downloader", "downloader.landed"), ("loader", "loader.loaded")):
        lines = [json.loads(line) for line in harness.mesh.log(service).read_text().splitlines() if trace in line]
        [entry] = [line for line in lines if line["message"].startswith(message)]
        assert entry["minute"] == at
        assert entry["logging.googleapis.com/trace"] == f"projects/{harness.endpoints.project}/traces/{trace}"
