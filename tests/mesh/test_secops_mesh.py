"""Notifications through the whole mesh: real processes, real pushes, and a SecOps that has bad days."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from infra.local.mesh import LocalMesh
from infra.local.parts import SimulatorOptions
from infra.local.secops.client import SecOpsControl
from infra.local.virustotal.streams.client import ListsControl
from infra.topology import read_topology
from tests.mesh.whole import Whole
from tests.waiting import wait_until

LOG_TYPE = "GTI_IOC_STREAM"
AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=55)
_PATIENCE = 60.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    """Run the forwarder's half of the mesh, with no notification by itself."""
    topology = read_topology(profile="tests")
    services = {name: one for name, one in topology.services.items() if name.startswith("secops-")}
    subscriptions = {
        name: one
        for name, one in topology.subscriptions.items()
        if one.topic.startswith("ioc-pages") and (one.push is None or one.push.service in services)
    }
    half = topology.model_copy(update={"services": services, "subscriptions": subscriptions, "schedules": {}})
    with LocalMesh(
        state=tmp_path_factory.mktemp("secops") / "state",
        topology=half,
        settings={"LOG_FORMAT": "text", "SECOPS_MAX_REQUEST_LOGS": "5"},
        simulator=SimulatorOptions(notification_seconds=0),
        schedules=False,
    ) as mesh:
        yield Whole(mesh)
        mesh.check()


@pytest.fixture
def lists(whole: Whole) -> ListsControl:
    """Return the control of the lists."""
    return ListsControl(str(whole.endpoints.virustotal_control))


@pytest.fixture
def secops(whole: Whole) -> SecOpsControl:
    """Return the control of SecOps, as at its start."""
    control = SecOpsControl(str(whole.endpoints.secops))
    control.reset()
    return control


def wait_for(whole: Whole, secops: SecOpsControl, ids: list[str]) -> None:
    """Wait until SecOps has these notifications."""

    def there() -> bool:
        whole.mesh.check()
        return secops.keys(LOG_TYPE) >= set(ids)

    wait_until(there, _PATIENCE, f"{len(ids)} notifications to be in SecOps")


def test_a_bad_day_at_secops_loses_and_repeats_nothing(
    whole: Whole, lists: ListsControl, secops: SecOpsControl
) -> None:
    """Refusals outlast the retries of a call; Pub/Sub delivers again, and every notification arrives once."""
    ids = lists.add(AGO, count=33, spacing=3)
    secops.set_faults({"kind": "rate_limited", "times": 6}, {"kind": "internal", "after": 9, "times": 2})
    whole.call("secops-poll")
    wait_for(whole, secops, ids)
    assert secops.stats().log_type(LOG_TYPE).duplicates == 0


def test_a_burst_limit_slows_down_and_drops_nothing(whole: Whole, lists: ListsControl, secops: SecOpsControl) -> None:
    """Beyond so many bytes in a window SecOps says 429; what was refused comes later."""
    ids = lists.add(AGO + timedelta(minutes=5), count=20, spacing=3)
    secops.set_limits(burst_bytes=300_000, burst_seconds=2.0)
    whole.call("secops-poll")
    wait_for(whole, secops, ids)
    figures = secops.stats()
    assert figures.log_type(LOG_TYPE).duplicates == 0


def test_an_importer_that_is_killed_is_made_up_for(whole: Whole, lists: ListsControl, secops: SecOpsControl) -> None:
    """Killed in the middle of its retries; once the leases of the dead are gone, everything arrives."""
    ids = lists.add(AGO + timedelta(minutes=10), count=12, spacing=3)
    secops.set_faults({"kind": "unavailable", "times": None})
    whole.call("secops-poll")
    wait_until(lambda: secops.stats().request_count > 0, _PATIENCE, "a request")
    whole.mesh.kill("secops-import")
    secops.set_faults()
    for delivery in held_deliveries(whole):
        # A lease ends by itself after minutes; an operator in a hurry deletes the object, and so does this test.
        delivery.unlink()
    whole.mesh.start_part("secops-import")
    wait_for(whole, secops, ids)


def held_deliveries(whole: Whole) -> list[Path]:
    """Return the delivery objects that somebody holds."""
    folder = whole.mesh.log("secops-import").parents[1] / "storage" / whole.endpoints.bucket / "streams"
    return [file for file in folder.rglob("*.delivery.json") if b'"holder":""' not in file.read_bytes()]


def test_an_item_that_fits_into_no_request_waits_in_the_dead_letters(
    whole: Whole, lists: ListsControl, secops: SecOpsControl
) -> None:
    """The rest arrives, and the operator finds the item with its reason."""
    ids = lists.add(AGO + timedelta(minutes=15), count=4, spacing=3)
    [big] = lists.add(AGO + timedelta(minutes=15, seconds=4), padding=4_000_000)
    whole.call("secops-poll")
    wait_for(whole, secops, ids)
    assert big not in secops.keys(LOG_TYPE)
    wait_until(lambda: any(f"item {big}" in reason for reason in dead_reasons(whole)), _PATIENCE, "the dead letter")


def dead_reasons(whole: Whole) -> list[str]:
    """Return the reasons of the dead letters that wait for the operator."""
    subscription = f"projects/{whole.endpoints.project}/subscriptions/ioc-pages-dead"
    url = f"http://{whole.endpoints.pubsub}/v1/{subscription}:pull"
    answer = requests.post(url, json={"maxMessages": 100, "returnImmediately": True}, timeout=10)
    received = answer.json().get("receivedMessages", [])
    return [one["message"].get("attributes", {}).get("reason", "") for one in received]


def test_polls_beside_one_another_forward_everything_once(
    whole: Whole, lists: ListsControl, secops: SecOpsControl
) -> None:
    """A schedule that fires twice costs questions, and no notification."""
    ids = lists.add(AGO + timedelta(minutes=20), count=60, spacing=1)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: whole.call("secops-poll"), range(3)))
    wait_for(whole, secops, ids)
    assert secops.stats().log_type(LOG_TYPE).duplicates == 0
