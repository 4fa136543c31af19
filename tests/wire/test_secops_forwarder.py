"""The SecOps forwarder as functions-framework serves it, between both simulators."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from infra.endpoints import Endpoints
from infra.local.secops.log_types import local_log_type, local_log_types
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.streams.client import ListsControl
from shared.gcp.storage import StorageBucket, storage_client
from shared.streams.definition import known_streams
from tests.support.secops import CUSTOMER, LOG_TYPE, RunningSecOps
from tests.support.simulator import Running
from tests.wire.conftest import Open, Pull, envelope

pytestmark = pytest.mark.usefixtures("two_attempts")

AGO = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=50)


@pytest.fixture
def lists(lists: ListsControl) -> ListsControl:
    """Return the control of the lists, with seven notifications and no automatic ones."""
    lists.add(AGO, count=7, spacing=10)
    return lists


@pytest.fixture
def on(
    wired: Endpoints, vt: Running, secops: RunningSecOps, lists: ListsControl, monkeypatch: pytest.MonkeyPatch
) -> pytest.MonkeyPatch:
    """Switch the forwarder on, with a bucket for this test."""
    del lists
    settings = {
        "VT_API_URL": f"{vt.url}/api/v3",
        "VT_API_KEY": DEFAULT_KEY,
        "SECOPS_API_URL": secops.url,
        "CHRONICLE_CUSTOMER_ID": CUSTOMER,
        "SECOPS_MAX_REQUEST_LOGS": "3",
        "LANDING_BUCKET": _new_bucket(wired),
        **local_log_types(),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


def _new_bucket(wired: Endpoints) -> str:
    name = f"test-{uuid4().hex}"
    storage_client(wired.project, wired.storage).create_bucket(name)  # type: ignore[no-untyped-call]
    return name


def poll(open_service: Open) -> tuple[int, dict[str, Any]]:
    """Call the poll as its schedule does."""
    answer = open_service("secops_forwarder", "poll").post("/", json={})
    content: dict[str, Any] = answer.get_json()
    return answer.status_code, content


def push(service: FlaskClient, message: dict[str, Any], attempt: int = 1) -> int:
    """Push a page's message as Pub/Sub does."""
    return service.post("/", json=envelope(message["body"], attempt, **message["attributes"])).status_code


@pytest.mark.usefixtures("on")
def test_what_is_new_travels_from_end_to_end_once(open_service: Open, pull: Pull, secops: RunningSecOps) -> None:
    """Pages land and are published; pushed twice, each notification is accepted once."""
    status, answer = poll(open_service)
    assert status == 200
    assert answer["ioc_stream"] == {
        "pages": 3,
        "notifications": 7,
        "asked": 1,
        "last_page": 3,
        "finished": True,
        "paused": False,
    }
    messages = pull("ioc-pages")
    assert [message["body"]["items"] for message in messages] == [3, 3, 1]
    assert messages[0]["attributes"] == {"stream": "ioc_stream", "sequence": "1"}
    importer = open_service("secops_forwarder", "import_page")
    assert [push(importer, message) for message in messages * 2] == [204] * 6
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.logs, figures.duplicates, figures.accepted) == (7, 0, 3)
    assert poll(open_service)[1]["ioc_stream"]["notifications"] == 0


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("kind", ["rate_limited", "unavailable", "unauthorized", "forbidden", "not_found", "html"])
def test_trouble_is_nacked_and_heals(open_service: Open, pull: Pull, secops: RunningSecOps, kind: str) -> None:
    """While SecOps fails the response is 500; the redelivery sends the page."""
    poll(open_service)
    [message, *_] = pull("ioc-pages")
    importer = open_service("secops_forwarder", "import_page")
    secops.control.set_faults({"kind": kind, "times": None})
    assert push(importer, message) == 500
    secops.control.set_faults()
    assert push(importer, message, attempt=2) == 204
    assert secops.control.stats().log_type(LOG_TYPE).logs == 3
    assert not pull("ioc-pages-dead")


@pytest.mark.usefixtures("on")
def test_a_log_that_is_refused_is_dead_lettered_alone(
    open_service: Open, pull: Pull, secops: RunningSecOps, lists: ListsControl
) -> None:
    """The refused log gets a dead letter with the reason; the rest is delivered, and a redrive sends the one."""
    poll(open_service)
    [message, *_] = pull("ioc-pages")
    importer = open_service("secops_forwarder", "import_page")
    refused = sorted(lists.ids(AGO, AGO + timedelta(seconds=25)))[1]
    secops.control.set_faults({"kind": "bad_request", "log": refused, "times": None})
    assert push(importer, message, attempt=4) == 204
    [dead] = pull("ioc-pages-dead")
    assert "400: INVALID_ARGUMENT" in dead["attributes"]["reason"]
    assert dead["body"]["items"] == 1
    assert secops.control.stats().log_type(LOG_TYPE).logs == 2
    secops.control.set_faults()
    assert push(importer, dead) == 204
    assert refused in secops.control.keys(LOG_TYPE)
    assert secops.control.stats().log_type(LOG_TYPE).logs == 3


def test_an_oversize_item_is_dead_lettered_alone(
    open_service: Open, pull: Pull, secops: RunningSecOps, lists: ListsControl, on: pytest.MonkeyPatch
) -> None:
    """The rest of the page is delivered, and the oversize item waits in the bucket."""
    on.setenv("SECOPS_MAX_REQUEST_BYTES", "400000")
    on.setenv("SECOPS_MAX_REQUEST_LOGS", "100")
    [big] = lists.add(AGO + timedelta(seconds=25), padding=500_000)
    poll(open_service)
    importer = open_service("secops_forwarder", "import_page")
    messages = pull("ioc-pages")
    assert {push(importer, message) for message in messages} == {204}
    [dead] = pull("ioc-pages-dead")
    assert f"item {big} needs a request of" in dead["attributes"]["reason"]
    assert big not in secops.control.keys(LOG_TYPE)
    assert secops.control.stats().log_type(LOG_TYPE).logs == 7


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize(
    ("body", "reason"),
    [(b"{", "cannot be read"), (b"", "has no body"), ({"stream": "ioc_stream"}, "sequence: missing")],
)
def test_poison_is_recorded_with_its_reason(open_service: Open, pull: Pull, body: object, reason: str) -> None:
    """Poison gets 204, so that Pub/Sub stops, and a dead letter with the reason."""
    importer = open_service("secops_forwarder", "import_page")
    assert importer.post("/", json=envelope(body)).status_code == 204
    [dead] = pull("ioc-pages-dead")
    assert reason in dead["attributes"]["reason"]


@pytest.mark.usefixtures("on")
def test_what_is_no_push_is_refused(open_service: Open) -> None:
    """A body that is not a push gets 400 with the reason."""
    assert open_service("secops_forwarder", "import_page").post("/", json={}).status_code == 400


def test_one_failing_stream_does_not_stop_the_others(
    open_service: Open, pull: Pull, lists: ListsControl, on: pytest.MonkeyPatch
) -> None:
    """The response is a 500 with both outcomes, and the working stream's pages are published."""
    on.setenv("STREAMS", "vulnerabilities,ioc_stream")
    lists.set_faults({"kind": "forbidden", "path": "collections", "times": None})
    status, answer = poll(open_service)
    assert status == 500
    assert "no licence" in answer["vulnerabilities"]["error"]
    assert answer["ioc_stream"]["notifications"] == 7
    assert {message["body"]["stream"] for message in pull("ioc-pages")} == {"ioc_stream"}


def test_streams_have_their_turn_before_landings(open_service: Open, on: pytest.MonkeyPatch) -> None:
    """However many landings wait, their check gets the rest of the time."""
    on.setenv("SECOPS_FEEDS", "threat_lists")
    status, answer = poll(open_service)
    assert (status, list(answer)) == (200, ["ioc_stream", "threat_lists"])


def test_streams_have_logs_and_log_types_of_their_own(
    open_service: Open, pull: Pull, secops: RunningSecOps, lists: ListsControl, on: pytest.MonkeyPatch
) -> None:
    """Every declared stream in one poll, each with its own log and log type."""
    on.setenv("STREAMS", ",".join(known_streams()))
    on.setenv("SECOPS_MAX_REQUEST_LOGS", "100")
    lists.add_alerts(AGO, count=30)
    lists.add_issues("10101", AGO, count=20)
    status, answer = poll(open_service)
    assert status == 200, answer
    assert set(answer) == set(known_streams())
    importer = open_service("secops_forwarder", "import_page")
    assert {push(importer, message) for message in pull("ioc-pages")} == {204}
    logs = {name: secops.control.stats().log_type(local_log_type(name)).logs for name in known_streams()}
    assert logs == {name: polled["notifications"] for name, polled in answer.items()}
    assert (logs["ioc_stream"], logs["dtm_alerts"], logs["asm_issues"]) == (7, 30, 20)
    assert min(logs.values()) > 0


def test_without_a_customer_id_both_say_that_they_are_off(
    open_service: Open, pull: Pull, on: pytest.MonkeyPatch, secops: RunningSecOps
) -> None:
    """200, nothing polled; a page that still comes is left to the poll, and what it does not publish is dead."""
    poll(open_service)
    [message, *_] = pull("ioc-pages")
    on.setenv("CHRONICLE_CUSTOMER_ID", "")
    status, answer = poll(open_service)
    assert (status, "CHRONICLE_CUSTOMER_ID is not set" in answer["off"]) == (200, True)
    importer = open_service("secops_forwarder", "import_page")
    assert push(importer, message) == 200
    assert importer.post("/", json={}).status_code == 200
    assert not pull("ioc-pages-dead")
    message["body"]["uri"] = message["body"]["uri"].replace("/pages/", "/oversize/")
    assert push(importer, message) == 200
    [dead] = pull("ioc-pages-dead")
    assert "the forwarder is off" in dead["attributes"]["reason"]
    assert secops.control.stats().request_count == 0


def test_a_page_in_the_bucket_is_readable_by_anybody(
    open_service: Open, pull: Pull, wired: Endpoints, on: pytest.MonkeyPatch
) -> None:
    """The raw items are in the object that the message names, unchanged."""
    del on
    poll(open_service)
    [message, *_] = pull("ioc-pages")
    bucket, name = message["body"]["uri"].removeprefix("gs://").split("/", 1)
    stored = StorageBucket(bucket, storage_client(wired.project, wired.storage)).read(name)
    assert stored
    assert b'"hunting_info":' in stored.data
