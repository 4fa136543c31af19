"""Responses described in public reports, in the VirusTotal simulator."""

import bz2
import json
from datetime import timedelta

import pytest

from infra.local.web import Answer, Request
from tests.support.virustotal import DOWNLOADS, KEY, MINUTE, NOW, SimulatorHarness, code

LISTS = ("ioc_stream", "collections")


@pytest.fixture
def harness() -> SimulatorHarness:
    """Return a fresh simulator."""
    return SimulatorHarness()


def ask_list(harness: SimulatorHarness, path: str, **query: str) -> Answer:
    """Request a page of a list."""
    return harness.api(Request("GET", f"/api/v3/{path}", headers=KEY, query=query))


def collect(harness: SimulatorHarness, query: dict[str, str], between: int) -> list[str]:
    """Return the ids of every page; the clock advances by so many seconds between two pages."""
    ids: list[str] = []
    for step in range(100):
        harness.control("PUT", "clock", {"fixed": (NOW + timedelta(seconds=step * between)).isoformat()})
        page = json.loads(ask_list(harness, "collections", **query).body)
        ids += [item["id"] for item in page["data"]]
        if "cursor" not in page["meta"]:
            break
        query = {**query, "cursor": page["meta"]["cursor"]}
    return ids


def test_a_package_that_is_not_out_can_have_the_other_code(harness: SimulatorHarness) -> None:
    """`NotAvailableYetError` means the same as `NotAvailableYet`."""
    harness.faults({"kind": "not_available_yet", "times": 1})
    assert code(harness.ask()) == (400, "NotAvailableYetError")
    assert harness.ask().status == 302


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (400, "NotAvailableYet")),
        ({"status": 404, "code": "NotFoundError"}, (404, "NotFoundError")),
        ({"status": 403, "code": "ForbiddenError"}, (403, "ForbiddenError")),
    ],
)
def test_an_error_can_have_a_code_and_no_message(
    harness: SimulatorHarness, fields: dict[str, object], expected: tuple[int, str]
) -> None:
    """The message is missing."""
    harness.faults({"kind": "no_message", **fields})
    answer = harness.ask()
    assert code(answer) == expected
    assert json.loads(answer.body)["error"].keys() == {"code"}


@pytest.mark.parametrize("status", [403, 404, 408, 425, 429, 499, 502])
def test_a_proxy_can_answer_for_the_api(harness: SimulatorHarness, status: int) -> None:
    """An HTML page with any status, once."""
    harness.faults({"kind": "proxy", "status": status, "times": 1})
    answer = harness.ask()
    assert answer.status == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert harness.ask().status == 302


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 410, 412])
def test_the_host_of_a_redirect_can_refuse(harness: SimulatorHarness, status: int) -> None:
    """An XML error of object storage; once per minute, and counted as a download with that status."""
    harness.faults({"kind": "storage_error", "status": status, "times": 1})
    answer = harness.ask()
    refused = harness.follow(answer)
    assert refused.status == status
    assert refused.body.startswith(b"<?xml")
    assert harness.follow(answer).status == 200
    assert [
        (seen["status"], seen["count"]) for seen in json.loads(harness.control("GET", "stats").body)["downloads"]
    ] == [
        (200, 1),
        (status, 1),
    ]


def test_a_redirect_can_hold_percent_encoding_that_is_signed(harness: SimulatorHarness) -> None:
    """Only the same bytes of path and query are accepted; any other spelling has a wrong signature."""
    harness.faults({"kind": "redirect_encoded"})
    answer = harness.ask()
    location = answer.headers["Location"]
    assert location.startswith(f"{DOWNLOADS}/pkg/a%2Eb%7Ec/")
    assert location.endswith("?sig=x%2db%2f%7E")
    assert bz2.decompress(harness.follow(answer).body) == harness.control("GET", f"truth/domains/{MINUTE}").body
    for before, after in (("a%2Eb%7Ec", "a.b~c"), ("x%2db%2f%7E", "x-b%2F~"), ("%2f", "%2F"), ("?sig=x%2db%2f%7E", "")):
        other = harness.follow(Answer(302, headers={"Location": location.replace(before, after)}))
        assert other.status == 403
        assert b"SignatureDoesNotMatch" in other.body


def test_a_feed_can_lose_its_licence_and_get_it_back(harness: SimulatorHarness) -> None:
    """Every minute of the feed gets a 403 until the fault is deleted; other feeds and faults are not affected."""
    harness.faults({"kind": "missing", "feed": "urls"})
    assert harness.control("POST", "faults", [{"kind": "forbidden", "feed": "domains"}]).status == 200
    for minute in (MINUTE, "202611211411"):
        assert code(harness.ask(package=minute)) == (403, "ForbiddenError")
    assert harness.ask("files").status == 302
    harness.control("DELETE", "faults?kind=forbidden")
    assert harness.ask().status == 302
    assert code(harness.ask("urls")) == (404, "NotFoundError")


@pytest.mark.parametrize(
    ("rule", "status"),
    [
        ({"kind": "no_message", "status": 404, "code": "NotFoundError"}, 404),
        ({"kind": "proxy", "status": 403}, 403),
        ({"kind": "proxy", "status": 499}, 499),
        ({"kind": "deadline"}, 504),
    ],
)
def test_lists_meet_the_same_answers(harness: SimulatorHarness, rule: dict[str, object], status: int) -> None:
    """Both lists are on the API's host; a fault of one does not affect the other, and fires once."""
    assert harness.control("PUT", "lists/faults", [{**rule, "path": "ioc_stream"}]).status == 200
    assert [ask_list(harness, path).status for path in LISTS] == [status, 200]
    assert ask_list(harness, "ioc_stream").status == 200


@pytest.mark.parametrize(
    "text",
    [
        '{"id": "x", "context_attributes": {"notification_id": "$ID", "notification_date": -62135596800}}',
        '{"id": "x", "context_attributes": {"notification_id": "$ID", "notification_date": 253402300799.9995}}',
        '{"id": "x", "context_attributes": {"notification_id": "$ID", "notification_date": "yesterday"}}',
        '{"id": "x", "deep": ' + "[" * 985 + "]" * 985 + "}",
    ],
)
def test_a_notification_can_be_any_text(harness: SimulatorHarness, text: str) -> None:
    """An impossible date or deep nesting is served byte for byte, with the notification's id."""
    settings = {"flowing": False}
    harness.control("PUT", "lists/settings", settings)
    body = {"date": int(NOW.timestamp()) - 60, "text": text}
    [added] = json.loads(harness.control("POST", "lists/notifications", body).body)
    page = ask_list(harness, "ioc_stream").body
    assert page.startswith(b'{"data": [' + text.replace("$ID", added).encode() + b"]")


def test_a_positional_cursor_misses_an_item_when_one_before_it_moves(harness: SimulatorHarness) -> None:
    """A vulnerability that is modified during a pass moves; with keyset cursors nothing is missed."""
    since = int((NOW - timedelta(hours=42)).timestamp())
    query = {"filter": f"last_modification_date:{since}+", "order": "last_modification_date+", "limit": "40"}
    still = set(collect(harness, query, between=0))
    assert still <= set(collect(harness, query, between=301))
    harness.control("PUT", "lists/settings", {"positional": True})
    assert set(collect(harness, query, between=0)) == still
    assert still - set(collect(harness, query, between=301))
