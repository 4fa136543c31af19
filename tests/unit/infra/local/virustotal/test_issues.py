"""Simulated issues behave as those of Attack Surface Management were seen to."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from infra.local.virustotal.streams.issues import PROJECTS, written
from infra.local.web import Answer, Request
from tests.support import optional_tools
from tests.support.paths import SAMPLES
from tests.support.virustotal import KEY, NOW, SimulatorHarness, code

PROJECT, OTHER = PROJECTS
HOUR_AGO = (NOW - timedelta(hours=1)).timestamp()


class SimulatedIssues(SimulatorHarness):
    """Issues of one simulator whose flow is off."""

    def __init__(self) -> None:
        super().__init__()
        self.control("PUT", "lists/settings", {"flowing": False})

    def change(self, **settings: object) -> None:
        """Set the settings of the search."""
        assert self.control("PUT", "lists/issues/settings", settings).status == 200

    def add(self, count: int = 1, project: str = PROJECT, **how: object) -> list[str]:
        """Add issues that were seen an hour ago."""
        body = {"project": project, "date": HOUR_AGO, "count": count, **how}
        ids: list[str] = json.loads(self.control("POST", "lists/issues", body).body)
        return ids

    def see(self, names: list[str], date: float) -> None:
        """Let a scan see issues again."""
        assert self.control("POST", "lists/issues/seen", {"project": PROJECT, "names": names, "date": date}).body

    def ask(self, query: str = "severity_lte:5", project: str | None = PROJECT, **page: object) -> Answer:  # type: ignore[override]
        """Request a page of a search."""
        headers = KEY | ({"project-id": project} if project else {})
        given = {name: str(value) for name, value in page.items()}
        return self.api(Request("GET", f"/api/v3/asm/search/issues/{quote(query, safe='')}", given, headers))

    def found(self, query: str = "severity_lte:5", **page: Any) -> dict[str, Any]:
        """Return the result of a search."""
        content = json.loads(self.ask(query, **page).body)
        assert content["success"]
        result: dict[str, Any] = content["result"]
        return result


@pytest.fixture
def issues() -> SimulatedIssues:
    """Return a simulator without issues."""
    return SimulatedIssues()


def ids(result: dict[str, Any]) -> list[str]:
    """Return the ids of a page."""
    return [hit["id"] for hit in result["hits"]]


def after(*moments: float) -> str:
    """Return a search between one or two times."""
    return " ".join(f"last_seen_{name}:{written(one)}" for name, one in zip(("after", "before"), moments, strict=False))


def test_a_search_is_of_one_project(issues: SimulatedIssues) -> None:
    """Without a project it is refused; success is false for a project that the key does not have, and with 200."""
    mine, _ = issues.add(2), issues.add(3, OTHER)
    assert set(ids(issues.found())) == set(mine)
    assert code(issues.ask(project=None)) == (400, "BadRequestError")
    unknown = issues.ask(project="7")
    assert unknown.status == 200
    assert json.loads(unknown.body) == {"success": False, "message": "Project not found", "result": None}


def test_the_projects_of_a_key_are_listed(issues: SimulatedIssues) -> None:
    """With ids as numbers."""
    content = json.loads(issues.api(Request("GET", "/api/v3/asm/projects", headers=KEY)).body)
    assert [str(one["id"]) for one in content["result"]] == [PROJECT, OTHER]


def test_pages_follow_by_token_or_by_number(issues: SimulatedIssues) -> None:
    """Numbers begin with 0, tokens are long, and both lead through the same hits, in the order of last_seen."""
    names = issues.add(7, spacing=10)
    first = issues.found(page_size=3)
    assert (first["page"], first["total_pages"], first["total_hits"], first["more"]) == (0, 3, 7, True)
    assert len(first["next_page_token"]) > 1000
    second = issues.found(page_size=3, page_token=first["next_page_token"])
    last = issues.found(page_size=3, page=2)
    assert ids(first) + ids(second) + ids(last) == names
    assert (last["more"], last["next_page_token"]) == (False, None)


def test_a_token_is_for_one_search_and_may_expire(issues: SimulatedIssues) -> None:
    """Neither is documented."""
    issues.add(7)
    issues.change(token_seconds=60)
    token = issues.found(page_size=3)["next_page_token"]
    assert code(issues.ask("severity:5", page_token=token)) == (400, "BadRequestError")
    issues.control("PUT", "clock", {"fixed": (NOW + timedelta(seconds=61)).isoformat()})
    assert code(issues.ask(page_token=token, page_size=3)) == (400, "BadRequestError")


def test_a_search_counts_hits_up_to_a_cap(issues: SimulatedIssues) -> None:
    """Pages end there; whether tokens do is not known."""
    issues.add(9)
    issues.change(cap=4)
    assert issues.found(page_size=4)["total_hits"] == 4
    assert issues.found(page_size=4)["next_page_token"] is None
    assert ids(issues.found(page_size=4, page=1)) == []
    issues.change(cap=4, tokens_beyond_cap=True)
    first = issues.found(page_size=4)
    assert len(ids(issues.found(page_size=4, page_token=first["next_page_token"]))) == 4


@pytest.mark.parametrize(("inclusive", "count"), [(False, 1), (True, 3)])
def test_a_search_is_bounded_by_last_seen(issues: SimulatedIssues, inclusive: bool, count: int) -> None:
    """Whether bounds are included is not documented."""
    issues.change(inclusive=inclusive)
    issues.add(5, spacing=10)
    assert len(ids(issues.found(after(HOUR_AGO + 10, HOUR_AGO + 30)))) == count


@pytest.mark.parametrize("query", ["nonsense", "colour:red", "severity:high", "last_seen_after:soon"])
def test_a_wrong_search_has_no_success(issues: SimulatedIssues, query: str) -> None:
    """The status is 200."""
    content = json.loads(issues.ask(query).body)
    assert (content["success"], content["message"][:7]) == (False, "Invalid")


def test_triage_moves_no_date_and_a_scan_moves_nothing_else(issues: SimulatedIssues) -> None:
    """So neither is found by the other's sign."""
    [name, _] = issues.add(2)
    body = json.dumps({"status": "open_in_progress"}).encode()
    post = Request("POST", f"/api/v3/asm/issues/{name}/status", headers={**KEY, "project-id": PROJECT}, body=body)
    before = hit(issues, name)
    assert issues.api(post).status == 200
    triaged = hit(issues, name)
    assert triaged["last_seen"] == before["last_seen"]
    assert triaged["summary"]["status"] == "open_in_progress"
    issues.see([name], NOW.timestamp())
    seen = hit(issues, name)
    assert {field for field in seen if seen[field] != triaged[field]} == {"last_seen"}


def hit(issues: SimulatedIssues, name: str) -> dict[str, Any]:
    """Return one issue."""
    [found] = issues.found(f"uid:{name}")["hits"]
    return dict(found)


def test_ties_may_be_in_another_order_with_every_request(issues: SimulatedIssues) -> None:
    """Then pages repeat hits and leave others out."""
    issues.add(40)
    assert ids(issues.found()) == ids(issues.found())
    issues.change(unstable_ties=True)
    assert ids(issues.found()) != ids(issues.found())
    assert set(ids(issues.found())) == set(ids(issues.found()))


def test_flowing_issues_change_as_real_ones_may(issues: SimulatedIssues) -> None:
    """Many have one last_seen, some are triaged or closed, and older ones have neither uid nor status."""
    issues.control("PUT", "lists/settings", {"flowing": True})
    hits = issues.found(page_size=1000)["hits"]
    assert len(hits) == len({one["id"] for one in hits}) == 720
    status = Counter(one["summary"]["status"] for one in hits)
    assert set(status) == {"open_new", "open_triaged", "closed_mitigated", None}
    assert max(Counter(one["last_seen"] for one in hits).values()) > 500
    assert status[None] == sum("uid" not in one for one in hits)


def test_simulated_issues_have_the_shape_of_real_ones(issues: SimulatedIssues) -> None:
    """Every field is there, with a value of the same kind."""
    file = SAMPLES / "gti/asm_search_page_2025.json"
    if not file.is_file():
        pytest.skip(optional_tools.SAMPLES.reason)
    real = json.loads(file.read_bytes())["result"]
    issues.add(3)
    found = issues.found(page_size=2)
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in real.items()}
    for hit in found["hits"]:
        assert {name: type(value) for name, value in hit.items()} == {
            name: type(value) for name, value in real["hits"][0].items()
        }
        assert set(hit["summary"]) == set(real["hits"][0]["summary"])


def test_a_time_is_written_in_milliseconds() -> None:
    """As the API does."""
    assert written(datetime(2026, 11, 21, tzinfo=UTC).timestamp() + 0.25) == "2026-11-21T00:00:00.250Z"
