"""Operating a mesh: an operator sees what is missing and repairs it in one step."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from infra.local.mesh import LocalMesh
from infra.local.process_specs import SimulatorOptions
from infra.local.secops.client import SecOpsControl
from infra.local.secops.log_types import local_log_type
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.streams.client import ListsControl
from infra.topology import read_topology
from shared.contracts.minutes import format_minute
from tests.mesh.harness import MeshHarness, due_minutes, provision_feeds
from tests.mesh.test_command import run
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("operate") / "state"


@pytest.fixture(scope="module")
def harness(state: Path) -> Iterator[MeshHarness]:
    """Run the whole mesh without schedules."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={"FEEDS": "domains", "PLAN_BACK": "3", "LOG_FORMAT": "text"},
        simulator=SimulatorOptions(seed=23, lines=4, notification_seconds=0),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, "domains"),
    ) as mesh:
        yield MeshHarness(mesh)


def command(state: Path, *arguments: str) -> tuple[int, str]:
    """Run a command on the mesh and return its exit code and output."""
    done = run(*arguments, "--state", str(state), folder=state.parent)
    return done.returncode, done.stdout + done.stderr


def test_an_operators_day(harness: MeshHarness, state: Path) -> None:
    """A healthy mesh gets a refused minute and a poison message; each is found, explained and repaired."""
    planned = harness.call("planner")["domains"]
    assert planned["published"] == 3
    minutes = due_minutes(4, ago=timedelta(minutes=3))
    harness.bring_in(minutes)
    assert command(state, "status")[0] == 0
    assert command(state, "gaps") == (0, "no gaps\n")

    [denied] = due_minutes(1, ago=timedelta(hours=2))
    harness.control.set_faults({"kind": "bad_request", "minute": package_name(denied)})
    harness.ask([denied])
    harness.publish("feed-minutes", b"{ no json")
    harness.wait_for([denied], "dead")
    dead = "SELECT COUNT(*) AS n FROM `{d}.minutes` WHERE event = 'dead'"
    wait_until(lambda: harness.rows(dead)[0]["n"] == 2, "two dead letters in the ledger")

    code, text = command(state, "status", "--json")
    status = json.loads(text)
    assert code == 1
    assert not status["healthy"]
    [gap] = status["feeds"]["domains"]["gaps"]
    assert (gap["first"], gap["trouble"], gap["minutes"]) == (format_minute(denied), "dead", 1)
    assert gap["error_type"] == "request_refused"
    assert "InvalidArgumentError" in gap["reason"]
    letters = json.loads(command(state, "dead", "list", "--json")[1])
    assert {letter["minute"] for letter in letters} == {format_minute(denied), None}

    [unreadable] = [letter["id"] for letter in letters if letter["minute"] is None]
    code, shown = command(state, "dead", "show", unreadable)
    assert json.loads(shown)["message"] == "{ no json"
    assert command(state, "dead", "discard", unreadable, "--yes")[0] == 0
    assert command(state, "dead", "discard", unreadable, "--yes")[0] != 0

    harness.control.clear_faults()
    code, text = command(state, "dead", "redrive", "--type", "request_refused")
    assert (code, text) == (0, "republished 1 dead letter\n")
    harness.wait_for([denied], "loaded")
    code, text = command(state, "merge")
    assert (code, json.loads(text)["domains"]["minutes"]) == (0, 1)
    code, text = command(state, "sweep")
    assert (code, list(json.loads(text))) == (0, ["domains"])
    harness.assert_exact([denied])
    assert command(state, "rejects", "domains", format_minute(denied)) == (0, "0 rejected lines\n")
    assert "loader.loaded" in command(state, "logs", "loader", "-n", "1000")[1]
    assert command(state, "dead", "list") == (0, "no dead letters\n")
    assert command(state, "gaps") == (0, "no gaps\n")
    assert command(state, "status")[0] == 0


def test_a_redriven_letter_that_fails_again_is_back_with_its_count_raised(harness: MeshHarness, state: Path) -> None:
    """The second dead letter names the same minute and its number of redrives."""
    [denied] = due_minutes(1, ago=timedelta(hours=3))
    harness.control.set_faults({"kind": "bad_request", "minute": package_name(denied)})
    harness.ask([denied])
    harness.wait_for([denied], "dead")
    assert command(state, "dead", "redrive", "--all")[0] == 0

    def letters() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(command(state, "dead", "list", "--json")[1])
        return found

    wait_until(lambda: len(letters()) == 1, "the second death")
    code, shown = command(state, "dead", "show", str(letters()[0]["id"]))
    assert (code, json.loads(shown)["redriven"]) == (0, 1)
    harness.control.clear_faults()
    assert command(state, "dead", "redrive", "--all")[0] == 0
    harness.wait_for([denied], "loaded")


def test_gaps_are_replayed_in_one_step(harness: MeshHarness, state: Path) -> None:
    """`replay --gaps` requests what `gaps` lists; an unknown dead letter or an empty selection is a clear error."""
    harness.control.set_faults({"kind": "bad_request"})
    denied = due_minutes(3, ago=timedelta(hours=4))
    harness.ask(denied)
    harness.wait_for(denied, "dead")
    harness.control.clear_faults()
    _, text = command(state, "gaps")
    assert f"{format_minute(denied[0])} to {format_minute(denied[2])} (3 min) dead" in text
    code, text = command(state, "replay", "domains", "--gaps", "--wait")
    assert code == 0
    assert "asked for 3 minutes of domains" in text
    assert command(state, "gaps") == (0, "no gaps\n")
    for wrong in (
        ["dead", "redrive"],
        ["dead", "redrive", "nobody"],
        ["dead", "show", "nobody"],
        ["replay", "domains"],
    ):
        code, text = command(state, *wrong)
        assert code != 0
        assert "Traceback" not in text


def test_letters_whose_minute_has_come_leave_pubsub_by_themselves(harness: MeshHarness, state: Path) -> None:
    """The planner's run takes them out with a copy, and nothing speaks of them any more."""
    [denied] = due_minutes(1, ago=timedelta(hours=5))
    harness.control.set_faults({"kind": "bad_request", "minute": package_name(denied)})
    harness.ask([denied])
    harness.wait_for([denied], "dead")
    assert harness.call("planner", "/dead-letters")["dead-letters"]["complete"]
    assert len(json.loads(command(state, "dead", "list", "--json")[1])) == 1
    harness.control.clear_faults()
    harness.bring_in([denied])
    resolved = json.loads(command(state, "status", "--json")[1])["resolved_dead_letters"]
    assert resolved == 1
    taken = harness.call("planner", "/dead-letters")["dead-letters"]
    assert taken == {"discarded": 1, "closed": 0, "complete": True}
    assert json.loads(command(state, "status", "--json")[1])["resolved_dead_letters"] == 0
    assert command(state, "dead", "list") == (0, "no dead letters\n")
    assert command(state, "dead", "discard", "--all", "--yes")[1].startswith("discarded 0 dead letters")


def test_an_operator_folds_by_hand(harness: MeshHarness, state: Path) -> None:
    """The command says what it has done, and a feed whose versions are in place has nothing to move."""
    harness.bring_in(due_minutes(3, ago=timedelta(hours=1)))
    shown = harness.rows("SELECT COUNT(*) AS n FROM `{d}.domains_current`")
    code, text = command(state, "fold", "domains", "--all", "--yes")
    assert code == 0, text
    assert re.fullmatch(r"folded [1-9]\d* rows; base has [1-9]\d* rows of generation \S+\n", text)
    assert harness.rows("SELECT COUNT(*) AS n FROM `{d}.domains_base`") == shown
    assert command(state, "migrate", "current", "domains")[1].endswith(
        "domains_current is a view of domains_recent and domains_base\n"
    )


def status_of_stream(state: Path) -> dict[str, Any]:
    """Return what `status` says of the notifications."""
    found: dict[str, Any] = json.loads(command(state, "status", "--json")[1])["streams"]["ioc_stream"]
    return found


def test_a_log_that_secops_refused_is_found_and_repaired(harness: MeshHarness, state: Path) -> None:
    """`status` names the stream's dead letter with its command; the rest of the page is already delivered."""
    # Status is healthy only while the planner runs.
    harness.call("planner")
    secops = SecOpsControl(str(harness.endpoints.secops))
    lists = ListsControl(str(harness.endpoints.virustotal_control))
    ids = lists.add(datetime.now(UTC) - timedelta(minutes=3), count=3)
    secops.set_faults({"kind": "bad_request", "log": ids[1], "times": None})
    harness.call("secops-poll")
    dead_rows = "SELECT COUNT(*) AS n FROM `{d}.minutes` WHERE event = 'dead' AND uri LIKE '%/ioc_stream/oversize/%'"
    wait_until(lambda: harness.rows(dead_rows)[0]["n"] == 1, "the log's letter in the ledger")
    # The letter is published before the importer sends what comes after that log, and records it.
    wait_until(lambda: status_of_stream(state)["waiting"] == 0, "the end of the page's delivery")
    assert secops.keys(local_log_type("ioc_stream")) >= {ids[0], ids[2]}

    code, text = command(state, "status", "--json")
    found = json.loads(text)
    stream = found["streams"]["ioc_stream"]
    assert (code, stream["given_up"], stream["delivered"], stream["notifications"]) == (1, 1, 2, 3)
    [remedy] = re.findall(r"gti-mesh (dead redrive \S+)", "\n".join(found["problems"]))
    secops.set_faults()
    assert command(state, *shlex.split(remedy))[0] == 0

    wait_until(lambda: secops.keys(local_log_type("ioc_stream")) >= set(ids), "the notifications to be in SecOps")
    code, text = command(state, "status")
    assert code == 0, text
