"""The SecOps client against the simulator, over real HTTP; and the simulator against the documented shape."""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import stamina

from shared.outcomes import MeshError, Misconfigured
from shared.secops.client import Instance, SecOps, anonymous_session
from shared.secops.errors import ImportRefused, SecOpsTrouble
from tests.secops import LOG_TYPE, RunningSecOps

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
    """Every log with its times, labels and namespace; a repeated one is a duplicate."""
    entry = log("7", labels={"stream": {"value": "ioc_stream"}}, environment_namespace="blue")
    for _ in range(2):
        secops.client.import_logs(LOG_TYPE, body(entry, log("8")))
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.accepted, figures.logs, figures.distinct, figures.duplicates) == (2, 4, 2, 2)
    assert figures.repeated_bodies == 1
    assert figures.largest_request == len(body(entry, log("8")))
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
        (body({**log(), "collection_time": TIMES["log_entry_time"]}), "collection_time must be after"),
        (body({**log(), "collection_time": "2026-11-21T12:00:00"}), "collection_time"),
        (body({**log(), "labels": {"stream": "ioc_stream"}}), "labels.stream"),
        (body({**log(), "surprise": 1}), "surprise"),
        (body(log(), forwarder="f"), "forwarder"),
    ],
)
def test_what_is_not_as_documented_is_refused(secops: RunningSecOps, request_body: bytes, reason: str) -> None:
    """400 with the place; the client says so and does not ask again."""
    with pytest.raises(ImportRefused, match=reason):
        secops.client.import_logs(LOG_TYPE, request_body)
    assert secops.control.stats().requests == {400: 1}


def test_both_spellings_of_the_source_are_accepted(secops: RunningSecOps) -> None:
    """Official clients send either."""
    camel = json.dumps({"inlineSource": {"logs": [log()]}}).encode()
    secops.client.import_logs(LOG_TYPE, camel)
    assert secops.control.keys(LOG_TYPE) == {"1"}


@pytest.mark.parametrize(
    ("kind", "error", "reason"),
    [
        ("unauthorized", Misconfigured, "needs chronicle.logs.import"),
        ("forbidden", ImportRefused, "lacks the permission chronicle.logs.import"),
        ("not_found", ImportRefused, "404: NOT_FOUND: log type not found"),
        ("bad_request", ImportRefused, "400: INVALID_ARGUMENT"),
    ],
)
def test_what_cannot_heal_is_asked_once(secops: RunningSecOps, kind: str, error: type[MeshError], reason: str) -> None:
    """With the server's words, and the permission that is missing."""
    secops.control.set_faults({"kind": kind, "times": None})
    with pytest.raises(error, match=reason):
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert secops.control.stats().request_count == 1


def test_a_redirect_accepts_nothing(secops: RunningSecOps) -> None:
    """A POST that is redirected arrives as a GET; a page that answers it with 200 has taken no log."""
    secops.control.set_faults({"kind": "redirect"})
    with pytest.raises(Misconfigured, match=r"answered 302, a redirect.*CHRONICLE_HOST"):
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert secops.control.stats().request_count == 1


@pytest.mark.parametrize("kind", ["rate_limited", "unavailable", "internal", "not_json", "reset"])
def test_trouble_that_heals_is_waited_out_and_lasting_trouble_is_not(secops: RunningSecOps, kind: str) -> None:
    """Two refusals are retried within the call; more are left to Pub/Sub."""
    secops.control.set_faults({"kind": kind, "times": 2})
    secops.client.import_logs(LOG_TYPE, body(log()))
    secops.control.set_faults({"kind": kind, "times": None})
    with pytest.raises(SecOpsTrouble):
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert secops.control.stats().request_count == 6
    assert secops.control.stats().log_type(LOG_TYPE).duplicates == 0


def test_a_short_retry_after_is_honoured_and_a_long_one_left_to_pubsub(secops: RunningSecOps) -> None:
    """The burst limit asks for five minutes, which no push should wait."""
    secops.control.set_faults({"kind": "rate_limited", "retry_after": 2})
    began = time.monotonic()
    with stamina.set_testing(False):
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert time.monotonic() - began >= 1.9
    secops.control.set_faults({"kind": "rate_limited", "retry_after": 300})
    with pytest.raises(SecOpsTrouble) as caught:
        secops.client.import_logs(LOG_TYPE, body(log()))
    assert caught.value.retry_after == 300


def test_a_lost_answer_is_repeated_and_shows(secops: RunningSecOps) -> None:
    """Accepted and nobody told: the retry sends the same bytes, and the simulator counts them as repeated."""
    secops.control.set_faults({"kind": "lost_answer"})
    secops.client.import_logs(LOG_TYPE, body(log()))
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.distinct, figures.duplicates, figures.repeated_bodies) == (1, 1, 1)


def test_a_request_above_the_limit_is_refused(secops: RunningSecOps) -> None:
    """By the size of the encoded body, to the byte."""
    request = body(log())
    secops.control.set_limits(largest_request=len(request))
    secops.client.import_logs(LOG_TYPE, request)
    secops.control.set_limits(largest_request=len(request) - 1)
    with pytest.raises(ImportRefused, match="exceeds the limit"):
        secops.client.import_logs(LOG_TYPE, request)


def test_the_burst_limit_counts_bytes_in_a_window(secops: RunningSecOps) -> None:
    """429 beyond it, and room again once the window has moved on."""
    request = body(log())
    secops.control.set_limits(burst_bytes=len(request), burst_seconds=0.5)
    secops.client.import_logs(LOG_TYPE, request)
    assert requests.post(secops.import_url, data=request, timeout=5).status_code == 429
    deadline = time.monotonic() + 5
    while requests.post(secops.import_url, data=request, timeout=5).status_code == 429:
        assert time.monotonic() < deadline
    assert secops.control.stats().log_type(LOG_TYPE).accepted == 2


@pytest.mark.parametrize("path", ["/v1beta/projects/p/logTypes/T/logs:import", "/v2/x", "/"])
def test_another_address_is_not_found(secops: RunningSecOps, path: str) -> None:
    """404 as Google's APIs write it."""
    answer = requests.post(secops.url + path, data=body(log()), timeout=5)
    assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_nobody_at_the_address_is_trouble() -> None:
    """The network is SecOps's bad state as far as a page can tell."""
    nobody = SecOps(Instance("http://127.0.0.1:9", "v1", "p", "us", "c"), anonymous_session)
    with pytest.raises(SecOpsTrouble, match="ConnectionError"):
        nobody.import_logs(LOG_TYPE, body(log()))
