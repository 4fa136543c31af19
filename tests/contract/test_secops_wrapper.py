"""Google's own wrapper (secops on the package index) works against the simulator as against SecOps."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import requests
from requests.adapters import HTTPAdapter
from secops.chronicle import ChronicleClient, log_types
from secops.exceptions import APIError

from tests.support.parser_samples import NOTIFICATIONS, items_of
from tests.support.secops import CUSTOMER, LOG_TYPE, RunningSecOps

WRITTEN = datetime(2026, 11, 21, 11, 55, tzinfo=UTC)


class ToSimulator(HTTPAdapter):
    """Redirects requests for Google's regional host to the simulator; the wrapper has no setting for this."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = urlsplit(url)
        self.hosts: set[str] = set()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a request to the simulator."""
        asked = urlsplit(str(request.url))
        self.hosts.add(asked.netloc)
        request.url = urlunsplit(asked._replace(scheme=self._url.scheme, netloc=self._url.netloc))
        return super().send(request, *args, **kwargs)


@pytest.fixture
def adapter(secops: RunningSecOps) -> ToSimulator:
    """Return the adapter that redirects to the simulator."""
    return ToSimulator(secops.url)


@pytest.fixture
def wrapper(adapter: ToSimulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return Google's client of the simulator; it caches the first tenant's log types for the whole process."""
    monkeypatch.setattr(log_types, "_LOG_TYPES_CACHE", None)
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", adapter)
        yield ChronicleClient(project_id="p", customer_id=CUSTOMER, region="europe", session=session)


def notification(number: int) -> str:
    """Return an item as text."""
    return json.dumps({"id": f"item {number}", "context_attributes": {"notification_id": str(number)}})


def test_a_log_is_taken_with_nothing_but_its_text(secops: RunningSecOps, wrapper: Any, adapter: ToSimulator) -> None:
    """The wrapper lists log types, makes its own forwarder, and sends one time as both times."""
    secops.control.set_log_types(LOG_TYPE)
    assert wrapper.ingest_log(log_type=LOG_TYPE, log_message=notification(7)) == {}
    assert secops.control.keys(LOG_TYPE) == {"7"}
    [kept] = secops.control.logs(LOG_TYPE)
    assert kept.log_entry_time == kept.collection_time
    assert [one["displayName"] for one in wrapper.list_forwarders()["forwarders"]] == ["Wrapper-SDK-Forwarder"]
    assert adapter.hosts == {"europe-chronicle.googleapis.com"}


def test_several_logs_are_taken_with_labels_and_namespace(secops: RunningSecOps, wrapper: Any) -> None:
    """Several logs are accepted one by one, and the forwarder is used again."""
    secops.control.set_log_types(LOG_TYPE)
    for first in (1, 3):
        wrapper.ingest_log(
            log_type=LOG_TYPE,
            log_message=[notification(first), notification(first + 1)],
            log_entry_time=WRITTEN,
            collection_time=WRITTEN + timedelta(minutes=5),
            namespace="blue",
            labels={"stream": "ioc_stream"},
        )
    figures = secops.control.stats().log_type(LOG_TYPE)
    assert (figures.accepted, figures.logs, figures.duplicates) == (2, 4, 0)
    kept = secops.control.logs(LOG_TYPE)[0]
    assert (kept.environment_namespace, kept.labels) == ("blue", {"stream": "ioc_stream"})
    assert len(wrapper.list_forwarders()["forwarders"]) == 1


def test_a_text_of_several_lines_is_cut_by_the_wrapper(secops: RunningSecOps, wrapper: Any) -> None:
    """A text with one log per line is accepted, and a known log type needs no force."""
    secops.control.set_log_types("GCP_THREATINTEL")
    wrapper.ingest_log("GCP_THREATINTEL", "\n".join(map(notification, range(3))), forwarder_id="0-0")
    assert secops.control.keys("GCP_THREATINTEL") == {"0", "1", "2"}


def test_log_types_are_those_of_the_tenant(secops: RunningSecOps, wrapper: Any) -> None:
    """The wrapper refuses a log type that the tenant does not list; with force, the simulator answers 404."""
    secops.control.set_log_types("GCP_THREATINTEL", "MINE_CUSTOM")
    assert wrapper.is_valid_log_type("MINE_CUSTOM")
    assert wrapper.get_log_type_description("GCP_THREATINTEL")
    assert [one["name"].split("/")[-1] for one in wrapper.get_all_log_types()] == ["GCP_THREATINTEL", "MINE_CUSTOM"]
    with pytest.raises(ValueError, match="Invalid log type"):
        wrapper.ingest_log(log_type=LOG_TYPE, log_message=notification(1))
    with pytest.raises(APIError, match=r"status=404.*NOT_FOUND"):
        wrapper.ingest_log(log_type=LOG_TYPE, log_message=notification(1), force_log_type=True)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("forbidden", "status=403.*chronicle.logs.import"),
        ("service_disabled", "status=403.*SERVICE_DISABLED"),
        ("not_found_html", "status=404.*not found on this server"),
        ("bad_request", "status=400.*INVALID_ARGUMENT"),
        ("too_large", "status=413.*too large"),
        ("aborted", "status=409.*ABORTED"),
        ("cancelled", "status=499.*CANCELLED"),
        ("rate_limited", "status=429.*RESOURCE_EXHAUSTED"),
        ("html", "Expected JSON response.*status=200"),
    ],
)
def test_errors_are_told_as_the_wrapper_tells_them(secops: RunningSecOps, wrapper: Any, kind: str, text: str) -> None:
    """Each error has its status and text, and no log is kept."""
    secops.control.arm({"kind": kind})
    with pytest.raises(APIError, match=text):
        wrapper.ingest_log(log_type=LOG_TYPE, log_message=notification(1), force_log_type=True)
    assert secops.control.keys(LOG_TYPE) == set()


def test_an_error_under_200_looks_like_an_acceptance_to_the_wrapper(secops: RunningSecOps, wrapper: Any) -> None:
    """The wrapper returns the error as a response, so a caller that checks only the status loses logs."""
    secops.control.arm({"kind": "error_body"})
    assert "error" in wrapper.ingest_log(log_type=LOG_TYPE, log_message=notification(1), force_log_type=True)
    assert secops.control.keys(LOG_TYPE) == set()


def test_the_wrappers_logs_never_arrive_where_a_source_name_is_wanted(secops: RunningSecOps, wrapper: Any) -> None:
    """The wrapper sends no sourceFilename: logs are accepted and never found (issue 213 of the wrapper)."""
    secops.control.arm({"kind": "never_arrives", "times": None})
    assert wrapper.ingest_log(log_type=LOG_TYPE, log_message=notification(1), force_log_type=True) == {}
    assert secops.control.keys(LOG_TYPE) == set()
    assert secops.control.stats().lost == 1


def test_raw_logs_are_found(secops: RunningSecOps, wrapper: Any) -> None:
    """Logs are found by text and by regular expression within a time range, in the list format of the service."""
    secops.control.set_log_types(LOG_TYPE)
    messages = [notification(number) for number in (1, 2, 12)]
    wrapper.ingest_log(LOG_TYPE, messages, log_entry_time=WRITTEN, collection_time=WRITTEN)
    for query, count in (('raw = "item 1"', 2), ("raw = /item 1?2/", 2), ("item 3", 0)):
        parts = wrapper.search_raw_logs(query, WRITTEN, WRITTEN + timedelta(minutes=1), log_types=[LOG_TYPE])
        matches = [match for part in parts for match in part.get("matches", [])]
        assert len(matches) == count
        assert all(match["logType"] == {"displayName": LOG_TYPE} for match in matches)
    assert not any("matches" in part and part["matches"] for part in wrapper.search_raw_logs("item", WRITTEN, WRITTEN))


def test_a_parser_is_run(wrapper: Any) -> None:
    """Each log returns its events and entities; a text that is no parser is refused."""
    logs = [json.dumps(item) for item in items_of(NOTIFICATIONS.pages[0])]
    results = wrapper.run_parser(LOG_TYPE, NOTIFICATIONS.text, None, logs)["runParserResults"]
    assert [[list(record) for record in result["parsedEvents"]["events"]] for result in results] == [
        [["event"], ["entity"]]
    ] * len(logs)
    with pytest.raises(APIError, match=r"expected '\{'"):
        wrapper.run_parser(LOG_TYPE, "filter", None, logs)
