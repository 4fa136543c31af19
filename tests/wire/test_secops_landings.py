"""Landed hours of threat lists into SecOps: the service as functions-framework serves it, before both simulators."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from infra.endpoints import Endpoints
from shared.contracts.messages import MinuteAbsent, MinuteLanded
from shared.gcp.storage import StorageBucket, storage_client
from shared.streams.delivery_progress import Delivery, read_delivery
from shared.streams.landing_log import landing_delivery_name
from tests.support.landings import element, land_hour, line_of
from tests.support.secops import CUSTOMER, RunningSecOps
from tests.wire.conftest import Open, Pull, envelope

pytestmark = pytest.mark.usefixtures("two_attempts")

HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
LOG_TYPE = "GCP_THREATINTEL"


@pytest.fixture
def bucket(wired: Endpoints) -> StorageBucket:
    """Return a bucket for this test."""
    client, name = storage_client(wired.project, wired.storage), f"test-{uuid4().hex}"
    client.create_bucket(name)  # type: ignore[no-untyped-call]
    return StorageBucket(name, client)


@pytest.fixture
def on(bucket: StorageBucket, secops: RunningSecOps, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Switch the feed on, and no stream."""
    settings = {
        "VT_API_KEY": "a" * 64,
        "SECOPS_API_URL": secops.url,
        "CHRONICLE_CUSTOMER_ID": CUSTOMER,
        "SECOPS_MAX_REQUEST_LOGS": "3",
        "LANDING_BUCKET": bucket.name,
        "STREAMS": "",
        "SECOPS_FEEDS": "threat_lists",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


@pytest.fixture
def landed(bucket: StorageBucket) -> MinuteLanded:
    """Return an hour with seven elements."""
    return land_hour(bucket, map(line_of, map(element, range(7))), HOUR)


def push(service: FlaskClient, message: MinuteLanded | MinuteAbsent, attempt: int = 1) -> int:
    """Push a message as the subscription to landings does."""
    body = message.model_dump(mode="json")
    return service.post("/landings", json=envelope(body, attempt, **message.attributes)).status_code


def delivery(bucket: StorageBucket, landed: MinuteLanded) -> Delivery | None:
    """Return a landing's delivery, if it has begun."""
    return read_delivery(bucket, landing_delivery_name(bucket, landed.uri))


def key(number: int) -> str:
    """Return an element's key in the simulator."""
    return f"{HOUR:%Y-%m-%dT%H}/ransomware/domain/host-{number}.example"


@pytest.mark.usefixtures("on")
def test_an_hour_is_delivered_once(open_service: Open, secops: RunningSecOps, landed: MinuteLanded) -> None:
    """Pushed twice, every element is accepted once."""
    importer = open_service("secops_forwarder", "import_page")
    assert [push(importer, landed), push(importer, landed)] == [204, 204]
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates, figures.accepted) == (7, 0, 3)
    assert secops.control.keys(LOG_TYPE) == {key(number) for number in range(7)}


def test_messages_about_something_else_are_acked(
    open_service: Open, pull: Pull, secops: RunningSecOps, landed: MinuteLanded, on: pytest.MonkeyPatch
) -> None:
    """Another feed, an absence, and everything while the feed or the forwarder is off."""
    importer = open_service("secops_forwarder", "import_page")
    assert push(importer, landed.model_copy(update={"feed": "domains"})) == 204
    assert push(importer, MinuteAbsent(feed="threat_lists", minute=HOUR, checked_at=HOUR)) == 204
    on.setenv("SECOPS_FEEDS", "")
    assert push(open_service("secops_forwarder", "import_page"), landed) == 204
    on.setenv("SECOPS_FEEDS", "threat_lists")
    on.setenv("CHRONICLE_CUSTOMER_ID", "")
    assert push(open_service("secops_forwarder", "import_page"), landed) == 200
    assert secops.control.stats().request_count == 0
    assert not pull("minutes-landed-dead")


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("kind", ["rate_limited", "unavailable", "forbidden", "not_found", "html"])
def test_trouble_is_nacked_and_heals(
    open_service: Open, pull: Pull, secops: RunningSecOps, landed: MinuteLanded, kind: str
) -> None:
    """A redelivery continues after what was recorded."""
    importer = open_service("secops_forwarder", "import_page")
    secops.control.set_faults({"kind": kind, "after": 1, "times": None})
    assert push(importer, landed) == 500
    secops.control.set_faults()
    assert push(importer, landed, attempt=2) == 204
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates) == (7, 0)
    assert not pull("minutes-landed-dead")


@pytest.mark.usefixtures("on")
def test_a_lost_answer_repeats_one_request(
    open_service: Open, secops: RunningSecOps, landed: MinuteLanded, bucket: StorageBucket
) -> None:
    """Accepted, and not recorded: the same bytes come again."""
    importer = open_service("secops_forwarder", "import_page")
    secops.control.set_faults({"kind": "lost_answer", "after": 1})
    assert push(importer, landed) == 204
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.distinct, figures.duplicates, figures.repeated_bodies) == (7, 3, 1)
    found = delivery(bucket, landed)
    assert found
    assert (found.accepted, found.requests) == (7, 3)


@pytest.mark.usefixtures("on")
def test_an_element_that_is_refused_is_dead_lettered_alone(
    open_service: Open, pull: Pull, secops: RunningSecOps, landed: MinuteLanded
) -> None:
    """It has a dead letter with the reason, which sends it when it is redriven; all others are accepted."""
    importer = open_service("secops_forwarder", "import_page")
    secops.control.set_faults({"kind": "bad_request", "log": key(4), "times": None})
    assert push(importer, landed) == 204
    [dead] = pull("ioc-pages-dead")
    assert "item ransomware/domain/host-4.example: logs:import was answered 400" in dead["attributes"]["reason"]
    assert secops.control.keys(LOG_TYPE) == {key(number) for number in (0, 1, 2, 3, 5, 6)}
    secops.control.set_faults()
    again: dict[str, Any] = envelope(dead["body"], 1, **dead["attributes"])
    assert importer.post("/", json=again).status_code == 204
    assert secops.control.stats().log_type(LOG_TYPE).logs == 7


def test_a_tenant_that_takes_less_gets_less(
    open_service: Open, secops: RunningSecOps, landed: MinuteLanded, on: pytest.MonkeyPatch
) -> None:
    """413: the request is halved, and nothing is a dead letter."""
    on.setenv("SECOPS_MAX_REQUEST_LOGS", "100")
    secops.control.set_limits(max_logs=2, status=413)
    assert push(open_service("secops_forwarder", "import_page"), landed) == 204
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates, figures.max_logs) == (7, 0, 2)


@pytest.mark.usefixtures("on")
def test_a_landing_that_is_gone_is_a_dead_letter(
    open_service: Open, pull: Pull, landed: MinuteLanded, bucket: StorageBucket
) -> None:
    """Its manifest is there, and its lines are not."""
    bucket.delete(bucket.name_of(landed.uri))
    assert push(open_service("secops_forwarder", "import_page"), landed) == 204
    [dead] = pull("minutes-landed-dead")
    assert dead["attributes"]["error_type"] == "object_missing"


@pytest.mark.usefixtures("on")
def test_the_poll_records_that_the_feed_is_on(open_service: Open, secops: RunningSecOps) -> None:
    """It asks for the log type once, and announces nothing that landed before."""
    poll = open_service("secops_forwarder", "poll")
    answers = [poll.post("/", json={}).get_json() for _ in range(2)]
    assert answers == [{"threat_lists": {"undelivered": 0, "announced": 0}}] * 2
    assert secops.control.stats().request_count == 0
