"""The gti-mesh command as a user runs it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from infra.endpoints import Endpoints, read_endpoints
from infra.local.prerequisites import PUBSUB_VARIABLE
from infra.local.state import StateFolder
from shared.contracts.minutes import last_due
from tests.mesh.harness import warehouse
from tests.support.waiting import PATIENCE, wait_until

COMMAND = (str(Path(sys.executable).with_name("gti-mesh")),)


def run(*arguments: str, folder: Path, seconds: float = 500, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in its own folder, without any cloud in the environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", PUBSUB_VARIABLE) if name in os.environ}
    return subprocess.run(  # noqa: S603
        [*COMMAND, *arguments],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def test_the_demo_balances_and_says_so(tmp_path: Path) -> None:
    """The demo exits with 0 and reports consistent figures per feed, and each dead letter with its reason."""
    feeds = ("domains", "file_behaviours", "threat_lists")
    arguments = ("--feeds", ",".join(feeds), "--minutes", "7", "--lines", "4", "--report", "out/report.json")
    streams = ("ioc_stream", "vulnerabilities", "dtm_alerts", "asm_issues")
    chosen = ("--streams", ",".join(streams), "--streams-to-bigquery", "ioc_stream")
    done = run("demo", *arguments, *chosen, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    # No library writes to it too, as gRPC does when a server ends before its client.
    assert done.stderr == ""
    assert "everything balances" in done.stdout
    assert "Pub/Sub is " in " ".join(done.stdout.split())
    assert re.search(r"\nnext\n  .*gti-mesh up\n", done.stdout)
    report = json.loads((tmp_path / "out/report.json").read_text())
    of_stream = report["feeds"].pop("ioc_stream")
    assert (of_stream["balanced"], of_stream["due"], of_stream["merged"]) == (True, *[of_stream["landed"]] * 2)
    assert of_stream["current_rows"] == of_stream["history_rows"] == of_stream["lines"] > 100
    assert set(report["feeds"]) == set(feeds)
    hours = report["feeds"].pop("threat_lists")
    assert (hours["due"], hours["merged"], hours["balanced"]) == (1, 1, True)
    listed = report["streams"].pop("threat_lists")
    assert (listed["balanced"], listed["pages"], listed["dead_lettered"]) == (True, 1, 0)
    assert listed["notifications"] == listed["delivered"] == hours["history_rows"]
    for found in report["feeds"].values():
        assert found["balanced"] is True
        assert (found["due"], found["merged"], found["absent"], found["dead"]) == (7, 6, 1, 0)
        assert found["lines"] == found["history_rows"] + found["rejected"]
        assert (found["rejected"], found["staging_rows"]) == (2, 0)
    assert set(report["streams"]) == set(streams)
    for name, least in (("vulnerabilities", 10), ("dtm_alerts", 100), ("asm_issues", 500)):
        found = report["streams"][name]
        assert (found["balanced"], found["dead_lettered"]) == (True, 0)
        assert found["notifications"] == found["delivered"] > least
    stream = report["streams"]["ioc_stream"]
    assert stream["balanced"] is True
    assert stream["notifications"] == stream["delivered"] + stream["dead_lettered"] >= 120
    assert stream["dead_lettered"] == 1
    assert stream["pages"] >= stream["requests"] > 3
    # The one request whose response was lost: of notifications, or of the threat lists.
    assert 0 < sum(each["duplicates"] for each in (*report["streams"].values(), listed)) < 400
    reasons = {dead["topic"]: dead["reason"] for dead in report["dead_letters"]}
    assert len(report["dead_letters"]) == 2
    assert "whole UTC minute" in reasons["feed-minutes-dead"]
    assert "above the limit of 400000" in reasons["ioc-pages-dead"]
    assert (tmp_path / ".gti-mesh/demo/storage/gti-mesh-landing/domains").is_dir()
    assert not (tmp_path / ".gti-mesh/demo/endpoints.json").exists()


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple[Endpoints, "subprocess.Popen[bytes]"]]:
    """Run `gti-mesh up` with its schedules and give its endpoints."""
    output = tmp_path / "up.txt"
    with output.open("wb") as stdout:
        process = subprocess.Popen(  # noqa: S603
            [*COMMAND, "up", "--lines", "3"], cwd=tmp_path, stdout=stdout, env={**os.environ, "PLAN_BACK": "2"}
        )
    state = tmp_path / ".gti-mesh/up"
    try:
        wait_until(lambda: "running;" in output.read_text() or process.poll() is not None, "the mesh to run")
        endpoints = read_endpoints(state)
        assert endpoints, "the mesh ended at its start"
        yield endpoints, process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=PATIENCE)


def test_up_serves_the_other_commands(tmp_path: Path, up: tuple[Endpoints, "subprocess.Popen[bytes]"]) -> None:
    """Replay finds the running mesh and waits until minutes are merged; a second replay changes no row.

    Ctrl-C ends the mesh. The next start on the folder continues with what it holds.
    """
    endpoints, process = up
    assert "Pub/Sub is " in (tmp_path / "up.txt").read_text()
    status_page = endpoints.services["status-page"]
    # Planned before a replay can put minutes into the ledger, which a planner without a state would begin at.
    assert (tmp_path / ".gti-mesh/up/storage/gti-mesh-landing/state/planner/domains.json").exists()
    first = last_due(datetime.now(UTC)) - timedelta(hours=1)
    span = (f"{first:%Y-%m-%dT%H:%MZ}", f"{first + timedelta(minutes=2):%Y-%m-%dT%H:%MZ}")
    for _ in range(2):
        done = run("replay", "domains", *span, "--wait", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        assert "asked for 3 minutes of domains" in done.stdout
        assert "3 merged, 0 absent or dead" in done.stdout
    sql = f"SELECT COUNT(*) AS n FROM `{endpoints.dataset}.domains_history` WHERE feed_minute < TIMESTAMP_ADD(TIMESTAMP '{first:%Y-%m-%d %H:%M:00}+00', INTERVAL 3 MINUTE)"  # noqa: E501, S608
    [row] = warehouse(endpoints).query(sql, timeout=PATIENCE).result(timeout=PATIENCE)
    assert row["n"] == 9
    in_sql = f"SELECT COUNT(*) AS n FROM domains_history WHERE feed_minute < '{first + timedelta(minutes=3):%F %T}+00'"  # noqa: S608
    asked = run("query", in_sql, "--csv", folder=tmp_path)
    assert (asked.returncode, asked.stdout, asked.stderr) == (0, "n\n9\n", "")
    wrong = run("query", "SELECT nothing FROM domains", folder=tmp_path)
    assert (wrong.returncode, wrong.stdout, len(wrong.stderr.splitlines())) == (1, "", 1)
    page = requests.get(f"{endpoints.services['status-page']}/data.json", timeout=PATIENCE)
    assert page.status_code == 200, page.text
    assert [feed["feed"] for feed in page.json()["feeds"]] == ["domains"]
    examined = run("doctor", "--only", "tables", "--only", "VirusTotal", folder=tmp_path)
    assert examined.returncode == 0, examined.stdout
    assert [line.split(":")[0] for line in examined.stdout.splitlines()[:2]] == [
        "pass           tables",
        "pass           VirusTotal key",
    ]
    again = run("provision", folder=tmp_path)
    assert again.returncode == 0
    assert "created" not in again.stdout
    taken = run("up", folder=tmp_path)
    assert taken.returncode == 1
    assert f"in use by process {process.pid}" in taken.stderr
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=PATIENCE) == 0
    for arguments, environment, reason in (
        (["up"], {"VT_API_KEY": "mine"}, "they would be mixed"),
        (["up", "--lines", "4"], {}, "they would be mixed"),
        (["up"], {"FEEDS": "urls"}, "minutes of domains would no longer be fetched"),
        (["demo", "--state", ".gti-mesh/up"], {}, "`gti-mesh up` keeps minutes of the simulator"),
    ):
        refused = run(*arguments, folder=tmp_path, seconds=150, **environment)
        assert (refused.returncode, len(refused.stderr.splitlines())) == (1, 1)
        assert reason in refused.stderr
    # The next mesh on the folder has the addresses of this one.
    assert StateFolder(tmp_path / ".gti-mesh/up").read_ports()["status-page"] == urlsplit(status_page).port


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["replay", "domains", "2026-11-21T14:10:30Z", "2026-11-21T14:10Z"], "is not a whole UTC minute"),
        (
            ["replay", "domains", "2026-11-21T14:10Z", "2026-11-21T14:10Z", "--state", "nowhere"],
            "no mesh runs on nowhere",
        ),
        (["replay", "domains", "2026-11-21T14:10Z", "2026-11-21T14:10Z"], "GCP_PROJECT: missing"),
        (["plan"], "no mesh runs on"),
        (["demo", "--feeds", "domian", "--minutes", "1"], "unknown feed 'domian'"),
        (["demo", "--minutes", "0"], "--minutes"),
        (["demo", "--report", "a-file/report.json"], "cannot use a-file: File exists"),
        (["provision"], "or start a local one with `gti-mesh up`"),
    ],
)
def test_a_mistake_is_one_clear_line(tmp_path: Path, arguments: list[str], reason: str) -> None:
    """The error names the value and what to do, the exit code is not 0, and there is no stack trace."""
    (tmp_path / "a-file").touch()
    done = run(*arguments, folder=tmp_path)
    assert done.returncode != 0
    assert reason in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_whoever_wants_the_official_emulator_is_told_what_to_install(tmp_path: Path) -> None:
    """Without Java one line names what is missing and how to install it."""
    empty = tmp_path / "bin"
    empty.mkdir()
    done = run("demo", "--minutes", "1", "--pubsub", "emulator", folder=tmp_path, PATH=str(empty))
    assert done.returncode == 1
    assert "Java" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_folder_that_is_no_state_folder_is_left_alone(tmp_path: Path) -> None:
    """A demo refuses a folder with other files instead of emptying it."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    done = run("demo", "--state", "mine", folder=tmp_path)
    assert done.returncode == 1
    assert "is not empty" in done.stderr
    assert (tmp_path / "mine/thesis.txt").read_text() == "years of work"
