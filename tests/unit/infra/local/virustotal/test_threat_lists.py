"""The simulated threat lists behave as GTI's were seen to."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from infra.local.virustotal.threat_lists.content import LISTS, TIERS
from infra.local.web import Answer, Request
from tests.support.threat_lists import HOUR, SimulatedLists
from tests.support.virustotal import KEY, NOW, code


@pytest.fixture
def lists() -> SimulatedLists:
    """Return the lists at half past three."""
    return SimulatedLists()


def ask(lists: SimulatedLists, path: str, **query: str) -> Answer:
    """Request a path of the API."""
    return lists.simulator.api(Request("GET", f"/api/v3/threat_lists{path}", query, KEY))


def found(lists: SimulatedLists, name: str, hours_back: int = 0, **query: str) -> list[dict[str, Any]]:
    """Return the objects of a list in an hour."""
    hour = HOUR - timedelta(hours=hours_back)
    answer = ask(lists, f"/{name}/{hour:%Y%m%d%H}", **query)
    assert answer.status == 200
    return [one["data"] for one in json.loads(answer.body)["iocs"]]


@pytest.mark.parametrize(("lag", "newest"), [(120, "2026112113"), (60, "2026112114")])
def test_an_hour_is_served_after_its_lag(lists: SimulatedLists, lag: int, newest: str) -> None:
    """The error of the next one has its opening time; `latest` is the newest that is served."""
    lists.change(lag_minutes=lag)
    after = str(int(newest) + 1)
    assert ask(lists, f"/ransomware/{newest}").status == 200
    early = ask(lists, f"/ransomware/{after}")
    assert code(early) == (400, "NotAvailableYet")
    opens = f"Package {after} is not available until 2026-11-21 at 16:00 UTC because of privacy policy."
    assert json.loads(early.body)["error"]["message"] == opens
    assert ask(lists, "/ransomware/latest").body == ask(lists, f"/ransomware/{newest}").body


@pytest.mark.parametrize("tier", TIERS)
def test_a_key_reads_the_lists_of_its_tier(lists: SimulatedLists, tier: str) -> None:
    """Others are 403, and not among the names; what is not a list is 404."""
    lists.change(tier=tier)
    assert [one["id"] for one in json.loads(ask(lists, "").body)["data"]] == list(TIERS[tier])
    status = {name: ask(lists, f"/{name}/{HOUR:%Y%m%d%H}").status for name in LISTS}
    assert status == {name: 200 if name in TIERS[tier] else 403 for name in LISTS}
    assert code(ask(lists, f"/malwares/{HOUR:%Y%m%d%H}")) == (404, "NotFoundError")


def test_more_than_the_limit_is_cut_without_a_sign(lists: SimulatedLists) -> None:
    """The first by id are given; by type there are others among them."""
    lists.change(counts={"malware": 12})
    whole = found(lists, "malware")
    assert [one["id"] for one in whole] == sorted(one["id"] for one in whole)
    assert found(lists, "malware", limit="5") == whole[:5]
    assert {one["type"] for one in found(lists, "malware", type="url")} == {"url"}
    assert len(found(lists, "malware", type="url")) == 3
    assert [ask(lists, f"/malware/{HOUR:%Y%m%d%H}", limit=limit).status for limit in ("4000", "4001", "0")] == [
        200,
        400,
        400,
    ]


def test_an_indicator_can_be_on_several_lists_and_in_several_hours(lists: SimulatedLists) -> None:
    """It has the same id on each of them."""
    lists.change(counts=dict.fromkeys(LISTS, 30))
    on = Counter(one["id"] for name in ("malware", "trending", "cryptominer") for one in found(lists, name))
    assert {1, 3} <= set(on.values())
    first, second = ({one["id"] for one in found(lists, "malware", back)} for back in (1, 0))
    assert first & second
    assert first - second
    assert second - first


def test_attributes_are_those_of_the_fetch(lists: SimulatedLists) -> None:
    """The same indicators a minute later have other attributes."""
    before = found(lists, "malware")
    assert found(lists, "malware") == before
    lists.at(NOW + timedelta(minutes=1))
    after = found(lists, "malware")
    assert [one["id"] for one in after] == [one["id"] for one in before]
    assert all(new["attributes"] != old["attributes"] for new, old in zip(after, before, strict=True))


def test_text_is_in_lower_case(lists: SimulatedLists) -> None:
    """Names and countries; GTI's own values are not."""
    lists.change(counts={"malware": 40})
    for one in found(lists, "malware"):
        attributes = one["attributes"]
        for name in ("names", "meaningful_name", "country", "as_owner", "regional_internet_registry"):
            text = json.dumps(attributes.get(name), ensure_ascii=False)
            assert text == text.lower()
        assert attributes["gti_assessment"]["verdict"]["value"] == "VERDICT_MALICIOUS"
        assert ("last_analysis_date" in attributes) == (one["type"] in ("file", "url"))


def test_old_hours_are_served_or_refused(lists: SimulatedLists) -> None:
    """Both were seen."""
    old = f"/ransomware/{HOUR - timedelta(days=8):%Y%m%d%H}"
    assert ask(lists, old).status == 404
    lists.change(old="served")
    assert ask(lists, old).status == 200


@pytest.mark.parametrize("hour", ["202611211", "2026112125", "latest1", "20261121130"])
def test_what_is_no_hour_is_refused(lists: SimulatedLists, hour: str) -> None:
    """As a bad request."""
    assert code(ask(lists, f"/ransomware/{hour}")) == (400, "BadRequestError")


def test_requests_are_counted_and_need_a_key(lists: SimulatedLists) -> None:
    """Like those of feeds."""
    assert lists.simulator.api(Request("GET", "/api/v3/threat_lists")).status == 401
    found(lists, "iot")
    seen = [row for row in lists.simulator.stats()["requests"] if row["feed"] == "threat_lists"]  # type: ignore[attr-defined]
    assert {(row["minute"], row["status"]): row["count"] for row in seen} == {
        ("names", 401): 1,
        (f"iot/{HOUR:%Y%m%d%H}", 200): 1,
    }


def test_half_an_answer_is_no_json(lists: SimulatedLists) -> None:
    """Once, of one list."""
    lists.fault(kind="truncated", list="malware", times=1)
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        found(lists, "malware")
    assert found(lists, "malware")
