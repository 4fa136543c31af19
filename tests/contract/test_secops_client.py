"""The SecOps client against the simulator over real HTTP, and the simulator against the documented format."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import requests
import stamina

from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.client import Instance, SecOps, anonymous_session
from services.secops_forwarder.importer.errors import DestinationRefused, ImportRefused, LogTypeMissing, RequestTooLarge
from services.secops_forwarder.importer.request import Form
from shared.contracts.dead_letters import REASON
from shared.contracts.messages import IOC_PAGES, dead_letter_topic
from shared.contracts.outcomes import MeshError, TransientError
from shared.runtime.json_bytes import read_object
from tests.support.doubles import NOON
from tests.support.secops import LOG_TYPE, RunningSecOps
from tests.support.streams import LIMITS, STREAM, ForwarderHarness, id_of
from tests.support.waiting import PATIENCE, wait_until

TIMES = {"log_entry_time": "2026-11-21T11:55:00Z", "collection_time": "2026-11-21T12:00:00Z"}


@pytest.fixture(autouse=True)
def _quick_retries() -> Iterator[None]:
    with stamina.set_testing(True, attempts=3):
        yield


def log(notification_id: str = "1", **fields: object) -> dict[str, Any]:
    """Return one entry."""
    data = json.dumps({"id": "x", "context_attributes": {"notification_id": notification_id}}).encode()
    return {"data": base64.b64encode(data).decode(), **TIMES, **fields}


def body(*logs: object, **source: object) -> bytes:
    """Return a request."""
    return json.dumps({"inline_source": {"logs": logs, **source}}).encode()


def test_what_was_accepted_is_kept_and_counted(secops: RunningSecOps) -> None:
    """Every log has its times, labels and namespace; a repeated log is a duplicate."""
    entry = log("7", labels={"stream": {"value": "ioc_stream"}}, environment_namespace="blue")
    for _ in range(2):
        secops.client.import_logs(LOG_TYPE, body(entry, log("8")))
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.accepted, figures.logs, figures.distinct, figures.duplicates) == (2, 4, 2, 2)
    assert figures.repeated_bodies == 1
    assert figures.max_request_bytes == len(body(entry, log("8")))
    assert secops.control.keys(LOG_TYPE) == {"7", "8"}
    kept = secops.control.logs(LOG_TYPE)[0]
    assert (kept.labels, kept.environment_namespace) == ({"stream": "ioc_stream"}, "blue")
    assert kept.log_entry_time == "2026-11-21T11:55:00+00:00"


@pytest.mark.parametrize(
    ("request_body", "reason"),
    [
        (b"{", "Invalid JSON"),
        (b"{}", "inline_source"),
        (body(), "inline_source.logs"),
        (body({**log(), "data": "not base64!"}), "logs.0.data"),
        (body({name: value for name, value in log().items() if name != "log_entry_time"}), "log_entry_time"),
        (body({**log(), "collection_time": "2026-11-21T11:54:59Z"}), "collection_time must not be before"),
        (body({**log(), "collection_time": "2026-11-21T12:00:00"}), "collection_time"),
        (body({**log(), "labels": {"stream": "ioc_stream"}}), "labels.stream"),
        (body({**log(), "surprise": 1}), "surprise"),
        (body(log(), forwarder="f"), "forwarder"),
    ],
)
def test_what_is_not_as_documented_is_refused(secops: RunningSecOps, request_body: bytes, reason: str) -> None:
    """A malformed request gets 400 with the field; the client reports it and does not retry."""
    with pytest.raises(ImportRefused, match=reason):
        secops.client.import_logs(LOG_TYPE, request_body)
    assert secops.control.stats().requests == {400: 1}


def test_both_spellings_of_the_source_are_accepted(secops: RunningSecOps) -> None:
    """Both spellings of the source are accepted, since Google's clients send either."""
    camel = json.dumps({"inlineSource": {"logs": [log()]}}).encode()
    secops.client.import_logs(LOG_TYPE, camel)
    assert secops.control.keys(LOG_TYPE) == {"1"}


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("unauthorized", DestinationRefused, "401: UNAUTHENTICATED.*needs chronicle.logs.import"),
        ("forbidden", DestinationRefused, "403: .*give the service account the permission chronicle.logs.import"),
        ("service_disabled", DestinationRefused, "403: .*enable the Chronicle API"),
        (
            "not_found",
            DestinationRefused,
            "404: NOT_FOUND: log type not found; check that the stream's log type exists",
        ),
        ("not_found_html", DestinationRefused, "404: .*check CHRONICLE_REGION, CHRONICLE_HOST"),
        ("bad_request", ImportRefused, "400: INVALID_ARGUMENT"),
        ("too_large", RequestTooLarge, "413: "),
    ],
)
def test_what_cannot_heal_in_a_call_is_asked_once(
    secops: RunningSecOps, kind: str, error: type[MeshError], reason: str
) -> None:
    """Errors that a retry cannot fix are raised after one request, with the server's message and what to do."""
    secops.control.set_faults({"kind": kind, "times": None})
    with pytest.raises(error, match=reason):
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert secops.control.stats().request_count == 1


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("not_found", LogTypeMissing, f"the tenant has no log type {LOG_TYPE}: check that .*_CUSTOM unless"),
        ("forbidden", DestinationRefused, "403: .*give the service account the permission chronicle.logTypes.get"),
        ("not_found_html", DestinationRefused, "404: .*check CHRONICLE_REGION, CHRONICLE_HOST"),
        ("unavailable", TransientError, "503"),
    ],
)
def test_the_tenant_says_whether_it_has_a_log_type(
    secops: RunningSecOps, kind: str, error: type[MeshError], reason: str
) -> None:
    """A known log type is no error; the page of another host is not taken as the tenant's answer."""
    secops.client.check_log_type(LOG_TYPE)
    secops.control.set_faults({"kind": kind, "method": "log_types", "times": None})
    with pytest.raises(error, match=reason) as caught:
        secops.client.check_log_type(LOG_TYPE)
    assert type(caught.value) is error


def test_a_redirect_accepts_nothing(secops: RunningSecOps) -> None:
    """A redirected POST arrives as a GET; a 200 page in response has accepted no log."""
    secops.control.set_faults({"kind": "redirect"})
    with pytest.raises(DestinationRefused, match=r"answered 302, a redirect.*CHRONICLE_HOST"):
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert secops.control.stats().request_count == 1


@pytest.mark.parametrize(
    "kind",
    [
        *("rate_limited", "unavailable", "internal", "not_json", "reset"),
        *("aborted", "cancelled", "html", "error_body"),
    ],
)
def test_trouble_that_heals_is_waited_out_and_lasting_trouble_is_not(secops: RunningSecOps, kind: str) -> None:
    """Two errors are retried within the call, more are left to Pub/Sub; a login page or error with 200 is an error."""
    secops.control.set_faults({"kind": kind, "times": 2})
    secops.client.import_logs(LOG_TYPE, body(log()))
    secops.control.set_faults({"kind": kind, "times": None})
    with pytest.raises(TransientError):
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert secops.control.stats().request_count == 6
    assert secops.control.stats().log_type(LOG_TYPE).duplicates == 0


def test_a_short_retry_after_is_honoured_and_a_long_one_left_to_pubsub(secops: RunningSecOps) -> None:
    """The burst limit asks for a wait of five minutes, which is longer than a push may take."""
    secops.control.set_faults({"kind": "rate_limited", "retry_after": 2})
    began = time.monotonic()
    with stamina.set_testing(False):
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert time.monotonic() - began >= 1.9
    secops.control.set_faults({"kind": "rate_limited", "retry_after": 300})
    with pytest.raises(TransientError) as caught:
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert caught.value.retry_after == 300


def test_a_lost_answer_is_repeated_and_shows(secops: RunningSecOps) -> None:
    """When a response is lost, the retry sends the same bytes, and the simulator counts them as repeated."""
    secops.control.set_faults({"kind": "lost_answer"})
    secops.client.import_logs(LOG_TYPE, body(log()))
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.distinct, figures.duplicates, figures.repeated_bodies) == (1, 1, 1)


def test_a_request_above_the_limit_is_refused(secops: RunningSecOps) -> None:
    """The limit is exact to the byte of the encoded body."""
    request = body(log())
    secops.control.set_limits(max_request_bytes=len(request))
    secops.client.import_logs(LOG_TYPE, request)
    secops.control.set_limits(max_request_bytes=len(request) - 1)
    with pytest.raises(ImportRefused, match="exceeds the limit"):
        secops.client.import_logs(LOG_TYPE, request)


def page_of(count: int, limits: Limits = LIMITS) -> ForwarderHarness:
    """Return a world whose log has a number of notifications."""
    harness = ForwarderHarness()
    harness.limits = limits
    harness.source.add(*(NOON - timedelta(seconds=count - number) for number in range(count)))
    harness.poll()
    return harness


def deliver(harness: ForwarderHarness, secops: RunningSecOps) -> None:
    """Deliver every page of a world's log to a simulator."""
    harness.secops = secops.client  # type: ignore[assignment]
    importer = harness.importer()
    for message in harness.messages():
        importer.handle(message)


def test_the_one_log_that_is_refused_is_found_and_the_others_arrive(secops: RunningSecOps) -> None:
    """When a tenant refuses every request with one of thirty items, that item is found and the others are delivered."""
    harness = page_of(30)
    bad = id_of(harness.source.items[14])
    secops.control.set_faults({"kind": "bad_request", "log": bad, "times": None})
    deliver(harness, secops)
    assert secops.control.keys(LOG_TYPE) == {id_of(item) for item in harness.source.items} - {bad}
    assert secops.control.stats().log_type(LOG_TYPE).duplicates == 0
    assert secops.control.stats().request_count <= 11
    [dead] = harness.pubsub.published[dead_letter_topic(IOC_PAGES)]
    assert dead.attributes[REASON].startswith(f"item {bad}: logs:import was answered 400: INVALID_ARGUMENT")


@pytest.mark.parametrize("status", [400, 413])
@pytest.mark.parametrize("limit", [{"max_logs": 7}, {"max_request_bytes": 5_000}])
def test_a_tenant_that_takes_less_gets_all_in_smaller_requests(
    secops: RunningSecOps, status: int, limit: dict[str, int]
) -> None:
    """A tenant with lower limits refuses a few requests, as text or HTML, and none of the later pages."""
    harness = page_of(200, Limits(bytes=3_900_000, logs=50))
    secops.control.set_limits(**limit, status=status)
    deliver(harness, secops)
    figures = secops.control.stats()
    assert (figures.log_type(LOG_TYPE).distinct, figures.log_type(LOG_TYPE).duplicates) == (200, 0)
    assert figures.requests[status] <= 7
    assert not harness.pubsub.published[dead_letter_topic(IOC_PAGES)]


def test_logs_are_found_under_the_page_that_they_come_from(secops: RunningSecOps) -> None:
    """Every entry names a source file, because some log types lose entries without one."""
    secops.control.set_faults({"kind": "never_arrives", "times": None})
    deliver(page_of(5), secops)
    assert (secops.control.stats().lost, len(secops.control.keys(LOG_TYPE))) == (0, 5)
    secops.client.import_logs(LOG_TYPE, body(log()))
    assert secops.control.stats().lost == 1


def test_dates_that_cannot_be_give_times_that_are_taken(secops: RunningSecOps) -> None:
    """For a zero, far future or invalid date the entry's time is the time of landing."""
    harness = ForwarderHarness()
    harness.source.add(NOON)
    harness.poll()
    [page] = harness.pages()
    for value in ["-62135596800", "253402300799.9995", '"soon"', "1e300", "0", "null"]:
        item = page.items[0].replace(str(int(NOON.timestamp())).encode(), value.encode())
        entry = Form().entry(read_object(item), item, STREAM, page.head)
        secops.client.import_logs(LOG_TYPE, Form().body([entry]))
        assert secops.control.logs(LOG_TYPE)[-1].log_entry_time == "2026-11-21T12:00:00+00:00", value


def test_the_burst_limit_counts_bytes_in_a_window(secops: RunningSecOps) -> None:
    """Requests beyond the window's limit get 429; once the window has moved on they are accepted."""
    request = body(log())

    def post() -> int:
        return requests.post(secops.import_url, data=request, timeout=PATIENCE).status_code

    secops.control.set_limits(burst_bytes=len(request), burst_seconds=5.0)
    secops.client.import_logs(LOG_TYPE, request)
    assert post() == 429
    wait_until(lambda: post() == 200, "the window to move on")
    assert secops.control.stats().log_type(LOG_TYPE).accepted == 2


@pytest.mark.parametrize("path", ["/v1beta/projects/p/logTypes/T/logs:import", "/v2/x", "/"])
def test_another_address_is_not_found(secops: RunningSecOps, path: str) -> None:
    """An unknown path gets a 404 in the format of Google's APIs."""
    answer = requests.post(secops.url + path, data=body(log()), timeout=PATIENCE)
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_nobody_at_the_address_is_trouble() -> None:
    """An unreachable address counts as a failure of SecOps."""
    nobody = SecOps(Instance("http://127.0.0.1:9", "v1", "p", "us", "c"), anonymous_session)
    with pytest.raises(TransientError, match="ConnectionError"):
        nobody.import_logs(LOG_TYPE, body(log()))
