"""The SecOps simulator's responses, without a network."""

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.secops.__main__ import responder
from infra.local.secops.api import SecOps
from infra.local.web import Answer, Request

LOG_TYPE = "GTI_IOC_STREAM_CUSTOM"
NAME = "projects/p/locations/us/instances/0a1b"
TIMES = {"log_entry_time": "2026-11-21T11:55:00Z", "collection_time": "2026-11-21T12:00:00Z"}


def entry(number: int, **fields: object) -> dict[str, object]:
    """Return one log with this number as its notification id."""
    data = json.dumps({"id": f"item {number}", "context_attributes": {"notification_id": str(number)}}).encode()
    return {"data": base64.b64encode(data).decode(), **TIMES, **fields}


class Tenant:
    """One simulated instance."""

    def __init__(self) -> None:
        self.paused: list[float] = []
        self._respond = responder(SecOps(keep=100, pause=self.paused.append))

    def control(self, method: str, path: str, body: object = None, **query: str) -> Answer:
        """Call the control endpoint."""
        return self._respond(Request(method, f"/control/{path}", query=query, body=json.dumps(body).encode()))

    def faults(self, *rules: dict[str, object]) -> None:
        """Set these fault rules."""
        assert self.control("PUT", "faults", rules).status == 200

    def post(self, *numbers: int, log_type: str = LOG_TYPE, **source: object) -> Answer:
        """Import logs with these notification ids."""
        body = {"inline_source": {"logs": [entry(number) for number in numbers], **source}}
        return self.ask("POST", f"logTypes/{log_type}/logs:import", body)

    def post_raw(self, body: bytes, headers: dict[str, str]) -> Answer:
        """Import a request body."""
        path = f"/v1alpha/{NAME}/logTypes/{LOG_TYPE}/logs:import"
        return self._respond(Request("POST", path, headers=headers, body=body))

    def ask(self, method: str, path: str, body: object = None, **query: str) -> Answer:
        """Call the API; a path that begins with a colon is a method of the instance."""
        path = f"/v1alpha/{NAME}{path if path.startswith(':') else f'/{path}'}"
        return self._respond(Request(method, path, query=query, body=json.dumps(body).encode()))

    def keys(self) -> list[str]:
        """Return the ids of accepted logs."""
        found: list[str] = json.loads(self.control("GET", f"keys/{LOG_TYPE}").body)
        return found

    def search(self, query: str, **fields: object) -> list[str]:
        """Return the notification ids found by a search."""
        span = {"startTime": "2026-11-21T11:00:00Z", "endTime": "2026-11-21T12:00:00Z"}
        answer = self.ask("POST", ":searchRawLogs", {"baselineQuery": query, "baselineTimeRange": span, **fields})
        assert answer.status == 200, answer.body
        matches = [match for part in json.loads(answer.body) for match in part.get("matches", [])]
        return [match["matchText"].split('"item ')[1].split('"')[0] for match in matches]


@pytest.fixture
def tenant() -> Tenant:
    """Return a fresh instance."""
    return Tenant()


def status_of(answer: Answer) -> tuple[int, str]:
    """Return status and code of an error in JSON."""
    return answer.status, json.loads(answer.body)["error"]["status"]


def test_a_log_may_be_collected_when_it_was_written(tenant: Tenant) -> None:
    """Google's wrapper sends equal times; a log that was collected before it was written is refused."""
    path = f"logTypes/{LOG_TYPE}/logs:import"
    same = entry(1, collection_time=TIMES["log_entry_time"])
    assert tenant.ask("POST", path, {"inline_source": {"logs": [same]}}).status == 200
    before = entry(2, collection_time="2026-11-21T11:54:59Z")
    assert status_of(tenant.ask("POST", path, {"inline_source": {"logs": [before]}})) == (400, "INVALID_ARGUMENT")
    assert tenant.keys() == ["1"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("aborted", 409, "ABORTED"),
        ("cancelled", 499, "CANCELLED"),
        ("forbidden", 403, "PERMISSION_DENIED"),
        ("service_disabled", 403, "PERMISSION_DENIED"),
        ("not_found", 404, "NOT_FOUND"),
        ("bad_request", 400, "INVALID_ARGUMENT"),
        ("unavailable", 503, "UNAVAILABLE"),
        ("error_body", 200, "UNAVAILABLE"),
    ],
)
def test_errors_are_googles_and_heal(tenant: Tenant, kind: str, status: int, code: str) -> None:
    """A fault fires once; nothing of the request is accepted, even with status 200."""
    tenant.faults({"kind": kind})
    assert status_of(tenant.post(1)) == (status, code)
    assert tenant.keys() == []
    assert json.loads(tenant.post(1).body) == {}
    assert tenant.keys() == ["1"]


@pytest.mark.parametrize(
    ("kind", "status"), [("html", 200), ("not_found_html", 404), ("too_large", 413), ("not_json", 502)]
)
def test_a_host_on_the_way_answers_in_html(tenant: Tenant, kind: str, status: int) -> None:
    """A login page has status 200 and accepts nothing."""
    tenant.faults({"kind": kind})
    answer = tenant.post(1)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert tenant.keys() == []


def test_a_log_can_have_every_request_refused_that_holds_it(tenant: Tenant) -> None:
    """Every request with log 14 gets a 400; the others are accepted without it."""
    tenant.faults({"kind": "bad_request", "log": "14", "times": None})
    assert tenant.post(*range(30)).status == 400
    assert tenant.post(14).status == 400
    assert tenant.post(*range(14)).status == tenant.post(*range(15, 30)).status == 200
    assert len(tenant.keys()) == 29


@pytest.mark.parametrize("limits", [{"max_request_bytes": 1000}, {"max_logs": 3}])
@pytest.mark.parametrize("status", [400, 413])
def test_a_tenant_can_take_less_than_is_usual(tenant: Tenant, limits: dict[str, int], status: int) -> None:
    """The limit is in bytes or logs, with either status, and clients cannot know it beforehand."""
    assert tenant.control("PUT", "limits", {**limits, "status": status}).status == 200
    answer = tenant.post(*range(10))
    assert answer.status == status
    if status == 400:
        assert b"exceeds the limit" in answer.body
    assert tenant.post(1, 2).status == 200
    assert tenant.keys() == ["1", "2"]


@pytest.mark.parametrize("kind", ["forbidden", "service_disabled", "not_found", "not_found_html"])
def test_a_condition_of_the_destination_lasts_until_it_is_ended(tenant: Tenant, kind: str) -> None:
    """A missing role binding or a disabled API can be switched on and off, independently of other faults."""
    tenant.faults({"kind": "rate_limited", "after": 3})
    tenant.control("POST", "faults", [{"kind": kind, "times": None}])
    assert [tenant.post(1).status for _ in range(3)] == [404 if kind.startswith("not_found") else 403] * 3
    tenant.control("DELETE", "faults", kind=kind)
    assert [tenant.post(1).status for _ in range(2)] == [429, 200]


def test_a_condition_can_be_one_of_a_log_type_or_of_another_method(tenant: Tenant) -> None:
    """Another log type is accepted meanwhile.

    A fault of another method does not affect imports, one of all methods does.
    """
    tenant.faults({"kind": "not_found", "log_type": LOG_TYPE, "times": None})
    assert tenant.post(1).status == 404
    assert tenant.post(1, log_type="OTHER_CUSTOM").status == 200
    tenant.faults({"kind": "forbidden", "method": "log_types", "times": None})
    assert tenant.post(1).status == 200
    answer = tenant.ask("GET", f"logTypes/{LOG_TYPE}")
    assert answer.status == 403
    assert b"chronicle.logTypes.get" in answer.body
    tenant.faults({"kind": "forbidden", "method": None, "times": None})
    assert [tenant.post(1).status, tenant.ask("GET", "forwarders").status] == [403, 403]


def test_logs_of_a_source_without_a_name_can_get_lost(tenant: Tenant) -> None:
    """The request is accepted, but its logs are never found; those of a named source are."""
    tenant.faults({"kind": "never_arrives", "times": None})
    assert json.loads(tenant.post(1, 2).body) == {}
    assert json.loads(tenant.post(3, source_filename="gs://b/page.json").body) == {}
    assert tenant.keys() == tenant.search("item") == ["3"]
    report = json.loads(tenant.control("GET", "stats").body)
    assert (report["lost"], report["log_types"][LOG_TYPE]["logs"], report["requests"]) == (2, 1, {"200": 2})


def test_a_log_type_can_be_asked_for(tenant: Tenant) -> None:
    """Google's and the tenant's log types exist, or those set by a test; imports into other types are refused."""
    assert status_of(tenant.ask("GET", "logTypes/GTI_IOC_STREAM")) == (404, "NOT_FOUND")
    assert status_of(tenant.post(1, log_type="GTI_IOC_STREAM")) == (404, "NOT_FOUND")
    asked = json.loads(tenant.ask("GET", f"logTypes/{LOG_TYPE}").body)
    assert asked["name"] == f"{NAME}/logTypes/{LOG_TYPE}"
    tenant.control("PUT", "log_types", {"log_types": ["GCP_THREATINTEL", "MINE_CUSTOM"]})
    assert status_of(tenant.ask("GET", f"logTypes/{LOG_TYPE}")) == (404, "NOT_FOUND")
    assert status_of(tenant.post(1)) == (404, "NOT_FOUND")
    assert json.loads(tenant.ask("GET", "logTypes/MINE_CUSTOM").body)["isCustom"] is True
    assert tenant.post(1, log_type="MINE_CUSTOM").status == 200


def test_log_types_are_listed_in_pages(tenant: Tenant) -> None:
    """The list has the types set by a test, or some of Google's and those with logs."""
    tenant.post(1)
    first = json.loads(tenant.ask("GET", "logTypes", pageSize="3").body)
    second = json.loads(tenant.ask("GET", "logTypes", pageSize="3", pageToken=first["nextPageToken"]).body)
    names = [one["name"].rsplit("/")[-1] for one in first["logTypes"] + second["logTypes"]]
    assert names == ["GCP_THREATINTEL", LOG_TYPE, "MANDIANT_ASM_ISSUE", "MANDIANT_DTM_ALERTS", "OKTA"]
    assert "nextPageToken" not in second
    assert tenant.ask("GET", "logTypes", pageToken="next").status == 400


def test_a_forwarder_can_be_made_found_and_read(tenant: Tenant) -> None:
    """Clients create their own forwarder in this way."""
    assert json.loads(tenant.ask("GET", "forwarders").body) == {"forwarders": []}
    made: dict[str, Any] = json.loads(tenant.ask("POST", "forwarders", {"displayName": "mine", "config": {}}).body)
    assert made["name"].startswith(f"{NAME}/forwarders/")
    assert json.loads(tenant.ask("GET", "forwarders").body) == {"forwarders": [made]}
    assert json.loads(tenant.ask("GET", made["name"].removeprefix(f"{NAME}/")).body) == made
    assert tenant.post(1, forwarder=made["name"]).status == 200
    assert tenant.ask("GET", "forwarders/none").status == 404
    assert tenant.ask("POST", "forwarders", {}).status == 400


def test_raw_logs_are_searched(tenant: Tenant) -> None:
    """A search is by text or regular expression, within a time range, in pages, over all log types."""
    tenant.post(1, 2, 12)
    tenant.post(22, log_type="OTHER_CUSTOM")
    assert tenant.search("Item 2") == ["2", "22"] == tenant.search('raw = "item 2"')
    assert tenant.search("Item 2", caseSensitive=True) == []
    assert tenant.search("raw = /ITEM [12]2/ nocase") == ["12", "22"]
    assert tenant.search("item", logTypes=[{"displayName": "OTHER_CUSTOM"}]) == ["1", "2", "12", "22"]
    assert tenant.search("item", pageSize=3) == ["1", "2", "12"]
    early = {"startTime": "2026-11-21T11:00:00Z", "endTime": TIMES["log_entry_time"]}
    assert tenant.search("item", baselineTimeRange=early) == []


def test_a_search_for_what_is_not_kept_is_refused(tenant: Tenant) -> None:
    """Logs that the simulator has dropped would seem to be lost; other types and later times can be searched."""
    tenant.post(*range(100))
    assert len(tenant.search("item")) == 100
    tenant.post(100, log_type="OTHER_CUSTOM")
    span = {"startTime": "2026-11-21T11:00:00Z", "endTime": "2026-11-21T12:00:00Z"}
    asked = {"baselineQuery": "item", "baselineTimeRange": span}
    mine = {"logTypes": [{"displayName": LOG_TYPE}]}
    for types in ({}, mine):
        assert status_of(tenant.ask("POST", ":searchRawLogs", {**asked, **types})) == (400, "FAILED_PRECONDITION")
    assert tenant.search("item 100", logTypes=[{"displayName": "OTHER_CUSTOM"}]) == ["100"]
    assert tenant.search("item", baselineTimeRange={**span, "startTime": "2026-11-21T11:58:00Z"}, **mine) == []


def test_a_simulator_that_was_restarted_refuses_to_search_for_earlier_logs(tmp_path: Path) -> None:
    """It knows how many there were, and no longer what was in them."""
    for _ in range(2):
        secops = SecOps(keep=100, journal=tmp_path / "accepted.jsonl")
        known = secops.store.forgotten([LOG_TYPE])
        secops.store.accept(LOG_TYPE, [], b"")
    assert known
    assert secops.store.forgotten(["OTHER_CUSTOM"]) is None


@pytest.mark.parametrize("body", [{}, {"baselineQuery": "raw = /(/"}, []])
def test_a_search_that_is_not_understood_is_refused(tenant: Tenant, body: object) -> None:
    """An invalid search gets a 400 and no result."""
    span = {"startTime": "2026-11-21T11:00:00Z", "endTime": "2026-11-21T12:00:00Z"}
    asked = {"baselineTimeRange": span, **body} if isinstance(body, dict) else body
    assert status_of(tenant.ask("POST", ":searchRawLogs", asked)) == (400, "INVALID_ARGUMENT")


def test_a_compressed_request_is_taken_and_measured_inside(tenant: Tenant) -> None:
    """Other forwarders send gzip; a body that is not gzip is refused."""
    body = json.dumps({"inline_source": {"logs": [entry(number) for number in range(20)]}}).encode()
    tenant.control("PUT", "limits", {"max_request_bytes": len(body)})
    assert tenant.post_raw(gzip.compress(body), {"content-encoding": "gzip"}).status == 200
    assert len(tenant.keys()) == 20
    tenant.control("PUT", "limits", {"max_request_bytes": len(body) - 1})
    assert tenant.post_raw(gzip.compress(body), {"content-encoding": "gzip"}).status == 400
    assert tenant.post_raw(b"not gzip", {"content-encoding": "gzip"}).status == 400


def test_faults_that_take_time_accept(tenant: Tenant) -> None:
    """The simulator pauses, and the logs are accepted."""
    tenant.faults({"kind": "slow", "seconds": 2}, {"kind": "late_answer", "seconds": 70})
    assert [tenant.post(number).status for number in (1, 2)] == [200, 200]
    assert (tenant.paused, tenant.keys()) == ([2.0, 70.0], ["1", "2"])


def test_reset_comes_back_to_the_start(tenant: Tenant) -> None:
    """A reset removes everything that was scripted."""
    tenant.post(1)
    tenant.faults({"kind": "forbidden", "times": None})
    tenant.control("PUT", "limits", {"max_logs": 1})
    tenant.control("PUT", "log_types", {"log_types": []})
    tenant.ask("POST", "forwarders", {"displayName": "mine"})
    tenant.control("POST", "reset")
    assert tenant.keys() == tenant.search("item") == []
    assert json.loads(tenant.ask("GET", "forwarders").body) == {"forwarders": []}
    assert tenant.post(1, 2).status == 200
