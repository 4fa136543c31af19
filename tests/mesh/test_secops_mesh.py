"""Notifications through the whole mesh: real processes, real pushes, and a SecOps simulator with faults."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.local.mesh import LocalMesh
from infra.local.process_specs import SimulatorOptions
from infra.local.secops.client import SecOpsControl
from infra.local.virustotal.streams.client import ListsControl
from infra.topology import read_topology
from tests.mesh.harness import MeshHarness
from tests.support.pubsub import retained_messages
from tests.support.waiting import wait_until

LOG_TYPE = "GTI_IOC_STREAM_CUSTOM"


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MeshHarness]:
    """Run the forwarder's part of the mesh, without automatic notifications."""
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
        yield MeshHarness(mesh)
        mesh.check()


@pytest.fixture
def lists(harness: MeshHarness) -> ListsControl:
    """Return the control of the lists."""
    return ListsControl(str(harness.endpoints.virustotal_control))


@pytest.fixture
def secops(harness: MeshHarness) -> SecOpsControl:
    """Return the control of SecOps, in its initial state."""
    control = SecOpsControl(str(harness.endpoints.secops))
    control.reset()
    return control


def lately() -> datetime:
    """Return a time within the overlap of the walks; later arrivals are found once a day."""
    return datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=3)


def wait_for(harness: MeshHarness, secops: SecOpsControl, ids: list[str]) -> None:
    """Wait until SecOps has these notifications."""

    def there() -> bool:
        harness.mesh.check()
        return secops.keys(LOG_TYPE) >= set(ids)

    wait_until(there, f"{len(ids)} notifications to be in SecOps")


def test_a_bad_day_at_secops_loses_and_repeats_nothing(
    harness: MeshHarness, lists: ListsControl, secops: SecOpsControl
) -> None:
    """Refusals last longer than a call's retries; Pub/Sub redelivers, and every notification arrives once."""
    ids = lists.add(lately(), count=33, spacing=3)
    secops.set_faults({"kind": "rate_limited", "times": 6}, {"kind": "internal", "after": 9, "times": 2})
    harness.call("secops-poll")
    wait_for(harness, secops, ids)
    assert secops.stats().log_type(LOG_TYPE).duplicates == 0


def test_a_burst_limit_slows_down_and_drops_nothing(
    harness: MeshHarness, lists: ListsControl, secops: SecOpsControl
) -> None:
    """Above a number of bytes in a window SecOps answers 429; what was refused is delivered later."""
    ids = lists.add(lately(), count=20, spacing=3)
    secops.set_limits(burst_bytes=300_000, burst_seconds=2.0)
    harness.call("secops-poll")
    wait_for(harness, secops, ids)
    figures = secops.stats()
    assert figures.log_type(LOG_TYPE).duplicates == 0


def test_an_importer_that_is_killed_is_made_up_for(
    harness: MeshHarness, lists: ListsControl, secops: SecOpsControl
) -> None:
    """An importer is killed in its retries; once its leases have expired, everything is delivered."""
    ids = lists.add(lately(), count=12, spacing=3)
    secops.set_faults({"kind": "unavailable", "times": None})
    harness.call("secops-poll")
    wait_until(lambda: secops.stats().request_count > 0, "a request")
    harness.mesh.kill("secops-import")
    secops.set_faults()
    for delivery in held_deliveries(harness):
        # A lease ends by itself after minutes; an operator in a hurry deletes the object, and so does this test.
        delivery.unlink()
    harness.mesh.start_part("secops-import")
    wait_for(harness, secops, ids)


def held_deliveries(harness: MeshHarness) -> list[Path]:
    """Return the delivery objects with an active lease."""
    folder = harness.mesh.log("secops-import").parents[1] / "storage" / harness.endpoints.bucket / "streams"
    return [file for file in folder.rglob("*.delivery.json") if b'"holder":""' not in file.read_bytes()]


def test_an_item_that_fits_into_no_request_waits_in_the_dead_letters(
    harness: MeshHarness, lists: ListsControl, secops: SecOpsControl
) -> None:
    """The rest is delivered, and the operator finds the item with its reason."""
    ids = lists.add(lately(), count=4, spacing=3)
    [big] = lists.add(lately(), padding=4_000_000)
    harness.call("secops-poll")
    wait_for(harness, secops, ids)
    assert big not in secops.keys(LOG_TYPE)
    wait_until(lambda: any(f"item {big}" in reason for reason in dead_reasons(harness)), "the dead letter")


def dead_reasons(harness: MeshHarness) -> list[str]:
    """Return the reasons of the dead letters that wait for the operator."""
    return [message.attributes.get("reason", "") for message in retained_messages(harness.endpoints, "ioc-pages-dead")]


def test_polls_beside_one_another_forward_everything_once(
    harness: MeshHarness, lists: ListsControl, secops: SecOpsControl
) -> None:
    """Two polls at once cost more requests, but lose and repeat no notification."""
    ids = lists.add(lately(), count=60, spacing=1)
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda _: harness.call("secops-poll"), range(3)))
    wait_for(harness, secops, ids)
    assert secops.stats().log_type(LOG_TYPE).duplicates == 0
