"""Operating a mesh: seeing what is missing, and the one step that repairs it."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.mesh import LocalMesh
from infra.local.parts import SimulatorOptions
from infra.local.secops.client import SecOpsControl
from infra.local.virustotal.feeds import package_name
from infra.local.virustotal.streams.client import ListsControl
from infra.topology import read_topology
from shared.minutes import format_minute
from tests.mesh.test_command import run
from tests.mesh.whole import Whole, due_minutes, provision_feeds
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("operate") / "state"


@pytest.fixture(scope="module")
def whole(state: Path) -> Iterator[Whole]:
    """Run the whole mesh without schedules."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={"FEEDS": "domains", "PLAN_BACK": "3", "LOG_FORMAT": "text"},
        simulator=SimulatorOptions(seed=23, lines=4, notification_seconds=0),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, "domains"),
    ) as mesh:
        yield Whole(mesh)


def command(state: Path, *arguments: str) -> tuple[int, str]:
    """Run a command on the mesh and return its exit code and what it printed."""
    done = run(*arguments, "--state", str(state), folder=state.parent)
    return done.returncode, done.stdout + done.stderr


def test_an_operators_day(whole: Whole, state: Path) -> None:
    """Healthy; then a minute without licence and a poison message; each is found, explained, and repaired."""
    planned = whole.call("planner")["domains"]
    assert planned["published"] == 3
    minutes = due_minutes(4, ago=timedelta(minutes=3))
    whole.bring_in(minutes)
    assert command(state, "status")[0] == 0
    assert command(state, "gaps") == (0, "no gaps\n")

    [denied] = due_minutes(1, ago=timedelta(hours=2))
    whole.control.set_faults({"kind": "forbidden", "minute": package_name(denied)})
    whole.ask([denied])
    whole.publish("feed-minutes", b"{ no json")
    whole.wait_for([denied], "dead")
    dead = "SELECT COUNT(*) AS n FROM `{d}.minutes` WHERE event = 'dead'"
    wait_until(lambda: whole.rows(dead)[0]["n"] == 2, 60, "two dead letters in the ledger")

    code, text = command(state, "status", "--json")
    status = json.loads(text)
    assert code == 1
    assert not status["healthy"]
    [gap] = status["feeds"]["domains"]["gaps"]
    assert (gap["first"], gap["trouble"], gap["minutes"]) == (format_minute(denied), "dead", 1)
    assert "no licence" in gap["reason"]
    letters = json.loads(command(state, "dead", "list", "--json")[1])
    assert {letter["minute"] for letter in letters} == {format_minute(denied), None}

    [unreadable] = [letter["message_id"] for letter in letters if letter["minute"] is None]
    code, shown = command(state, "dead", "show", unreadable)
    assert json.loads(shown)["message"] == "{ no json"
    assert command(state, "dead", "discard", unreadable, "--yes")[0] == 0
    assert command(state, "dead", "discard", unreadable, "--yes")[0] != 0

    whole.control.clear_faults()
    code, text = command(state, "dead", "redrive", "--reason", "no licence")
    assert (code, text) == (0, "handed back 1 dead letters\n")
    whole.wait_for([denied], "loaded")
    whole.call("merger")
    whole.assert_exact([denied])
    assert command(state, "dead", "list") == (0, "no dead letters\n")
    assert command(state, "gaps") == (0, "no gaps\n")
    assert command(state, "status")[0] == 0


def test_a_redriven_letter_that_fails_again_is_back_with_its_count_raised(whole: Whole, state: Path) -> None:
    """The second death names the same minute, and the letter says how often it was handed back."""
    [denied] = due_minutes(1, ago=timedelta(hours=3))
    whole.control.set_faults({"kind": "forbidden", "minute": package_name(denied)})
    whole.ask([denied])
    whole.wait_for([denied], "dead")
    assert command(state, "dead", "redrive", "--all")[0] == 0

    def letters() -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(command(state, "dead", "list", "--json")[1])
        return found

    wait_until(lambda: len(letters()) == 1, 60, "the second death")
    code, shown = command(state, "dead", "show", str(letters()[0]["message_id"]))
    assert (code, json.loads(shown)["redriven"]) == (0, 1)
    whole.control.clear_faults()
    assert command(state, "dead", "redrive", "--all")[0] == 0
    whole.wait_for([denied], "loaded")


def test_gaps_are_replayed_in_one_step(whole: Whole, state: Path) -> None:
    """`replay --gaps` asks for exactly what `gaps` names; an unknown letter or an empty choice is a clear error."""
    whole.control.set_faults({"kind": "forbidden"})
    denied = due_minutes(3, ago=timedelta(hours=4))
    whole.ask(denied)
    whole.wait_for(denied, "dead")
    whole.control.clear_faults()
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


def test_a_page_that_secops_refused_is_found_and_repaired(whole: Whole, state: Path) -> None:
    """`status` names the page beside its stream, with the command of its letter; afterwards all is delivered."""
    secops = SecOpsControl(str(whole.endpoints.secops))
    lists = ListsControl(str(whole.endpoints.virustotal_control))
    ids = lists.add(datetime.now(UTC) - timedelta(minutes=30), count=3)
    secops.set_faults({"kind": "bad_request"})
    whole.call("secops-poll")
    told = "SELECT COUNT(*) AS n FROM `{d}.minutes` WHERE event = 'dead' AND uri LIKE '%/ioc_stream/pages/%'"
    wait_until(lambda: whole.rows(told)[0]["n"] == 1, 60, "the page's letter in the ledger")

    code, text = command(state, "status", "--json")
    stream = json.loads(text)["streams"]["ioc_stream"]
    assert (code, stream["given_up"], stream["notifications"]) == (1, 3, 3)
    [run] = stream["undelivered"]
    assert (run["first"], run["last"], run["state"]) == (1, 1, "given up")
    assert run["remedy"].startswith("gti-mesh dead redrive ")
    assert command(state, *shlex.split(run["remedy"])[1:])[0] == 0

    wait_until(lambda: secops.keys("GTI_IOC_STREAM") >= set(ids), 60, "the notifications to be in SecOps")
    code, table = command(state, "status")
    assert code == 0
    assert re.search(r"pages, 7 d\W+1 delivered", table), table
