"""Hours of threat lists through the whole mesh into SecOps, and what an operator sees and repairs of it."""

import json
import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.mesh import LocalMesh
from infra.local.process_specs import SimulatorOptions
from infra.local.secops.client import SecOpsControl
from infra.topology import read_topology
from shared.contracts.minutes import format_minute
from shared.gcp.storage import StorageBucket, storage_client
from shared.operations.stream_accounts import PageAccount, read_landings
from tests.mesh.harness import MeshHarness, provision_feeds
from tests.mesh.test_operate import command
from tests.support.pubsub_control import PubSubControl
from tests.support.waiting import wait_until

LOG_TYPE = "GCP_THREATINTEL"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the state folder of the mesh."""
    return tmp_path_factory.mktemp("landings") / "state"


@pytest.fixture(scope="module")
def harness(state: Path) -> Iterator[MeshHarness]:
    """Run the whole mesh for threat lists alone, without schedules."""
    with LocalMesh(
        state=state,
        topology=read_topology(profile="tests"),
        settings={
            "FEEDS": "threat_lists",
            "SECOPS_FEEDS": "threat_lists",
            "STREAMS": "",
            "SECOPS_MAX_REQUEST_LOGS": "40",
            "LOG_FORMAT": "text",
        },
        simulator=SimulatorOptions(seed=23, lines=4, notification_seconds=0),
        schedules=False,
        provision=lambda endpoints: provision_feeds(endpoints, "threat_lists"),
    ) as mesh:
        yield MeshHarness(mesh)
        mesh.check()


@pytest.fixture
def secops(harness: MeshHarness) -> Iterator[SecOpsControl]:
    """Yield the control of SecOps, which takes everything again afterwards."""
    control = SecOpsControl(str(harness.endpoints.secops))
    yield control
    control.set_faults()
    control.set_log_types()


@pytest.fixture(scope="module")
def this_hour() -> datetime:
    """Return one hour for all tests of the module, so that each has hours of its own even if the hour turns."""
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def written(hour: datetime) -> str:
    """Write an hour as commands do."""
    return f"{hour:%Y-%m-%dT%H:%MZ}"


def account(harness: MeshHarness, hour: datetime) -> PageAccount | None:
    """Return the account of a landed hour."""
    at = harness.endpoints
    bucket = StorageBucket(at.bucket, storage_client(at.project, at.storage))
    begin = f"{hour:%Y-%m-%dT%H}/"
    return next(
        (one for one in read_landings(bucket, "threat_lists") if one.keys and one.keys[0].startswith(begin)), None
    )


def delivered(harness: MeshHarness, secops: SecOpsControl, hour: datetime) -> bool:
    """Return whether SecOps has every element of an hour."""
    harness.mesh.check()
    found = account(harness, hour)
    return found is not None and found.mismatch() is None and secops.keys(LOG_TYPE) >= set(found.keys)


def pages_on_their_way(harness: MeshHarness) -> int:
    """Return the number of messages that the importer has not acked."""
    waiting = PubSubControl(str(harness.endpoints.pubsub_control)).backlog()
    return sum(one.messages for name, one in waiting.items() if name.endswith("/secops-import"))


def land(harness: MeshHarness, hour: datetime) -> None:
    """Request an hour of threat lists."""
    harness.publish("feed-minutes", {"feed": "threat_lists", "minute": format_minute(hour)}, feed="threat_lists")


def test_every_element_of_an_hour_is_at_secops_once(
    harness: MeshHarness, secops: SecOpsControl, state: Path, this_hour: datetime
) -> None:
    """On a bad day too; the status has the hours, and the audit finds nothing."""
    hour = this_hour - timedelta(hours=4)
    harness.call("planner")
    assert harness.call("secops-poll") == {"threat_lists": {"undelivered": 0, "announced": 0}}
    secops.set_faults({"kind": "rate_limited", "after": 1, "times": 6}, {"kind": "internal", "after": 9})
    land(harness, hour)
    wait_until(lambda: delivered(harness, secops, hour), "the hour to be in SecOps")
    found = account(harness, hour)
    assert found
    figures = secops.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates, figures.max_logs) == (len(found.keys), 0, 40)
    streams = json.loads(command(state, "status", "--json")[1])["streams"]
    assert streams["threat_lists"]["pages"] == {"delivered": 1}
    assert streams["threat_lists"]["delivered"] == len(found.keys)
    assert "threat_lists to SecOps: 1 hours; no mismatch" in command(state, "audit")[1]


def test_an_element_that_is_refused_is_redriven(
    harness: MeshHarness, secops: SecOpsControl, state: Path, this_hour: datetime
) -> None:
    """`status` names its dead letter with the command; all others are delivered."""
    hour = this_hour - timedelta(hours=5)
    secops.set_log_types("OKTA")
    land(harness, hour)
    wait_until(lambda: account(harness, hour) is not None, "the hour to land")
    found = account(harness, hour)
    assert found
    secops.set_faults({"kind": "bad_request", "log": found.keys[3], "times": None})
    secops.set_log_types()
    assert command(state, "secops", "replay", "threat_lists", written(hour))[0] == 0
    dead_rows = "SELECT COUNT(*) AS n FROM `{d}.minutes` WHERE event = 'dead' AND uri LIKE '%/threat_lists/oversize/%'"
    wait_until(lambda: harness.rows(dead_rows)[0]["n"] == 1, "the element's letter in the ledger")
    wait_until(lambda: secops.keys(LOG_TYPE) >= set(found.keys) - {found.keys[3]}, "all other elements")
    problems = "\n".join(json.loads(command(state, "status", "--json")[1])["problems"])
    [remedy] = re.findall(r"gti-mesh (dead redrive \S+)", problems)
    secops.set_faults()
    assert command(state, *shlex.split(remedy))[0] == 0
    wait_until(lambda: delivered(harness, secops, hour), "every element to be in SecOps")


def test_hours_that_secops_does_not_take_wait_and_are_replayed(
    harness: MeshHarness, secops: SecOpsControl, state: Path, this_hour: datetime
) -> None:
    """Without its log type the feed has one problem; the replay sends what is not delivered, and nothing twice."""
    hours = [this_hour - timedelta(hours=ago) for ago in (8, 7)]
    secops.set_log_types("OKTA")
    for hour in hours:
        land(harness, hour)

    def waiting() -> bool:
        streams = json.loads(command(state, "status", "--json")[1])["streams"]
        return bool(streams["threat_lists"]["condition"] and streams["threat_lists"]["waiting"])

    wait_until(waiting, "two hours to wait")
    code, text = command(state, "status")
    assert (code, text.count("threat_lists: SecOps takes nothing since")) == (1, 1)
    secops.set_log_types()
    first, last = map(written, hours)
    assert command(state, "secops", "replay", "threat_lists", first, last)[1] == "asked for 2 hours of threat_lists\n"
    wait_until(lambda: all(delivered(harness, secops, hour) for hour in hours), "the hours to be in SecOps")
    assert command(state, "secops", "replay", "threat_lists", first)[0] == 0
    wait_until(lambda: not pages_on_their_way(harness), "the replayed hour to be handled")
    assert secops.stats().log_type(LOG_TYPE).duplicates == 0
    code, text = command(state, "secops", "replay", "threat_lists", "-1h")
    assert "not landed: 1 hours, the first" in text
    code, text = command(state, "secops", "replay", "threat_lists", "2026-11-21T14:10Z")
    assert (code, "is inside an hour; name it by 2026-11-21T14:00:00Z" in text) == (1, True)
