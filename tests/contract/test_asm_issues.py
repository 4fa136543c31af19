"""Issues of Attack Surface Management, read by the real client from the simulator, and forwarded with every change."""

import json
import logging
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from pydantic import SecretStr

from infra.local.secops.log_types import local_log_type, local_log_types
from infra.local.virustotal.simulator import DEFAULT_KEY
from infra.local.virustotal.streams.client import ListsControl
from infra.local.virustotal.streams.issues import PROJECTS
from services.secops_forwarder.standalone.run import run_standalone
from shared.contracts.outcomes import TransientError
from shared.operations.feed_conditions import FeedCondition
from shared.streams.definition import find_stream
from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import KeyRefused, NotLicensed, RequestRefused
from shared.virustotal.issue_reader import IssuePage, IssueReader, IssueSearch
from tests.support import optional_tools
from tests.support.paths import SAMPLES
from tests.support.secops import CUSTOMER, RunningSecOps
from tests.support.simulator import KEY, Running
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("two_attempts")

STREAM = find_stream("asm_issues")
LOG_TYPE = local_log_type("asm_issues")
SEARCH = "asm/search/issues"
PROJECT, OTHER = PROJECTS
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR_AGO = NOW - timedelta(hours=1)
STATE = Path("pages/state/streams")


def reader(vt: Running, key: str = DEFAULT_KEY) -> IssueReader:
    """Return the real client of the simulator."""
    return IssueReader(VirusTotal(api_url=f"{vt.url}/api/v3", key=FixedKey(SecretStr(key))))


def search(vt: Running, token: str | None = None, size: int = 1000, project: str = PROJECT) -> IssuePage:
    """Return a page of everything."""
    return reader(vt).search(IssueSearch(project, "last_seen_after:2000-01-01T00:00:00.000Z", size, token))


def triage(vt: Running, name: str, status: str, project: str = PROJECT) -> None:
    """Set an issue's status as an analyst does."""
    url, headers = f"{vt.url}/api/v3/asm/issues/{name}/status", {**KEY, "PROJECT-ID": project}
    answer = requests.post(url, headers=headers, json={"status": status}, timeout=PATIENCE)
    assert answer.json()["success"]


def test_a_search_is_read_token_by_token(vt: Running, lists: ListsControl) -> None:
    """In the order of last_seen; each hit is unchanged but for its project, and the key goes to no other host."""
    lists.set_settings(flowing=False)
    ids = lists.add_issues(PROJECT, HOUR_AGO, count=7, spacing=1)
    pages = [search(vt, size=3)]
    for _ in range(2):
        token = pages[-1].token
        assert token
        assert len(token) > 1000
        pages.append(search(vt, token, 3))
    items = [item.known for page in pages for item in page.items]
    assert [item["id"] for item in items] == ids
    assert {item["project_id"] for item in items} == {PROJECT}
    assert (pages[-1].token, pages[-1].total) == (None, 7)
    assert vt.control.stats().keys_at_download_port == 0


def test_a_key_sees_its_projects(vt: Running, lists: ListsControl) -> None:
    """Another one has no success, and 200."""
    assert reader(vt).projects() == (PROJECT, OTHER)
    with pytest.raises(TransientError, match="Project not found"):
        search(vt, project="7")
    assert lists.requests(SEARCH) == {200: 1}


@pytest.mark.parametrize(
    ("kind", "error", "asked"),
    [
        ("rate_limited", TransientError, 2),
        ("unavailable", TransientError, 2),
        ("unauthorized", KeyRefused, 1),
        ("forbidden", NotLicensed, 1),
        ("bad_request", RequestRefused, 1),
        ("no_success", TransientError, 1),
        ("timed_out", TransientError, 1),
        ("not_json", TransientError, 1),
        ("no_data", TransientError, 1),
    ],
)
def test_trouble_is_retried_in_one_layer(
    vt: Running, lists: ListsControl, kind: str, error: type[Exception], asked: int
) -> None:
    """What the client retries elsewhere it retries here, and nothing else does."""
    lists.set_faults({"kind": kind, "path": SEARCH, "times": None})
    with pytest.raises(error):
        search(vt)
    assert lists.requests(SEARCH).total() == asked


def test_real_issues_have_the_key_and_the_date() -> None:
    """Also an older one, without uid and with a null status."""
    folder = SAMPLES / "gti"
    if not folder.is_dir():
        pytest.skip(optional_tools.SAMPLES.reason)
    real = json.loads((folder / "asm_search_page_2025.json").read_bytes())["result"]["hits"]
    real += json.loads((folder / "asm_hit_status_null_2022.json").read_bytes())
    items = [{"project_id": PROJECT, **hit} for hit in real]
    assert len({STREAM.key_of(item) for item in items} - {None}) == len(items)
    assert all(STREAM.date_of(item) for item in items)


@pytest.fixture
def forwarding(
    vt: Running, secops: RunningSecOps, lists: ListsControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ListsControl:
    """Point the standalone forwarder at both simulators, for issues alone, which do not flow."""
    monkeypatch.chdir(tmp_path)
    settings = {
        "GCP_PROJECT": "p",
        "STREAMS": "asm_issues",
        "VT_API_URL": f"{vt.url}/api/v3",
        "VT_API_KEY": DEFAULT_KEY,
        "SECOPS_API_URL": secops.url,
        "CHRONICLE_CUSTOMER_ID": CUSTOMER,
        **local_log_types(),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    lists.set_settings(flowing=False)
    return lists


def forward() -> str:
    """Forward once, and return what was said last."""
    said: list[str] = []
    run_standalone(Path("pages"), once=True, say=said.append)
    return said[-1]


def let_a_day_pass() -> None:
    """Make a sweep of every project due."""
    hint = STATE / "asm_issues.json"
    content = json.loads(hint.read_text())
    for walk in content["walks"].values():
        walk["swept_at"] = (NOW - timedelta(days=1)).isoformat()
    hint.write_text(json.dumps(content))


def distinct(secops: RunningSecOps) -> int:
    """Return how many logs were accepted, none of them twice."""
    seen = secops.control.stats().log_type(LOG_TYPE)
    assert seen.duplicates == 0
    return seen.distinct


def accepted(secops: RunningSecOps) -> Counter[str]:
    """Return how often each version was accepted."""
    return Counter(str(STREAM.key_of(json.loads(log.data))) for log in secops.control.logs(LOG_TYPE))


def test_every_change_is_forwarded_once(
    vt: Running, secops: RunningSecOps, forwarding: ListsControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of both projects: new issues, triage that moves no date, and nothing that a scan only saw again."""
    monkeypatch.setenv("SECOPS_CLEAN", "false")
    ids = forwarding.add_issues(PROJECT, NOW - timedelta(days=3), count=5, spacing=1)
    forwarding.add_issues(OTHER, HOUR_AGO, count=3)
    forwarding.add_issues(PROJECT, HOUR_AGO, count=2, old=True)
    assert "10 new notifications" in forward()
    forwarding.see_issues(PROJECT, ids[1:], datetime.now(UTC))
    assert "0 new notifications" in forward()
    triage(vt, ids[0], "closed_benign")
    assert "0 new notifications" in forward()
    let_a_day_pass()
    assert "1 new notifications" in forward()
    let_a_day_pass()
    triage(vt, ids[0], "open_new")
    assert "1 new notifications" in forward()
    let_a_day_pass()
    assert "0 new notifications" in forward()
    assert accepted(secops).total() == 12
    assert vt.control.stats().keys_at_download_port == 0


def test_triage_is_dated_by_when_it_was_found(vt: Running, secops: RunningSecOps, forwarding: ListsControl) -> None:
    """Nothing says when it happened, and the last scan was before."""
    [name] = forwarding.add_issues(PROJECT, NOW - timedelta(days=3))
    forward()
    triage(vt, name, "open_triaged")
    let_a_day_pass()
    forward()
    times = [datetime.fromisoformat(log.log_entry_time) for log in secops.control.logs(LOG_TYPE)]
    assert len(times) == 2
    assert min(times) >= NOW - timedelta(minutes=1)


@pytest.mark.parametrize("settings", [{}, {"inclusive": True}, {"unstable_ties": True}, {"tokens_beyond_cap": True}])
def test_many_ties_and_any_bounds_are_read(
    secops: RunningSecOps, forwarding: ListsControl, settings: dict[str, object]
) -> None:
    """Whatever is not documented of the search."""
    forwarding.set_issue_settings(**settings)
    for second in range(4):
        forwarding.add_issues(PROJECT, HOUR_AGO + timedelta(seconds=second), count=700)
    assert "2800 new notifications" in forward()
    assert "0 new notifications" in forward()
    assert distinct(secops) == 2800


def test_more_than_a_search_counts_is_read_in_windows(
    secops: RunningSecOps, forwarding: ListsControl, caplog: pytest.LogCaptureFixture
) -> None:
    """A search counts 10,000; here are more, over a minute."""
    forwarding.add_issues(PROJECT, HOUR_AGO, count=10_500, spacing=0.005)
    assert "10500 new notifications" in forward()
    assert "secops.window_too_full" not in caplog.text
    assert distinct(secops) == 10_500


def test_an_answer_without_success_is_the_streams_condition(forwarding: ListsControl) -> None:
    """Until a poll succeeds; the other project is read meanwhile."""
    forwarding.add_issues(PROJECT, HOUR_AGO)
    forwarding.add_issues(OTHER, HOUR_AGO)
    forwarding.set_faults({"kind": "no_success", "path": SEARCH})
    assert 'without success: "Something went wrong"' in forward()
    condition = STATE / "conditions/asm_issues.json"
    assert FeedCondition.model_validate_json(condition.read_bytes()).error_type == "trouble"
    assert len(list(Path("pages/streams/asm_issues/pages").glob("*[0-9].json"))) == 1
    assert "1 new notifications" in forward()
    assert not condition.exists()


def test_a_setting_chooses_the_projects(
    secops: RunningSecOps, forwarding: ListsControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are not asked for then."""
    monkeypatch.setenv("ASM_PROJECTS", OTHER)
    forwarding.add_issues(PROJECT, HOUR_AGO)
    forwarding.add_issues(OTHER, HOUR_AGO)
    assert "1 new notifications" in forward()
    assert {json.loads(log.data)["project_id"] for log in secops.control.logs(LOG_TYPE)} == {OTHER}
    assert forwarding.requests("asm/projects") == {}


def test_a_key_without_a_project_is_misconfigured(forwarding: ListsControl) -> None:
    """It is a condition at once."""
    forwarding.set_issue_settings(projects=[])
    assert "no ASM project: set ASM_PROJECTS" in forward()
    condition = FeedCondition.model_validate_json((STATE / "conditions/asm_issues.json").read_bytes())
    assert (condition.error_type, condition.blocks) == ("misconfigured", True)


def test_dead_tokens_lose_nothing(secops: RunningSecOps, forwarding: ListsControl) -> None:
    """The window is read from its begin with the next poll; what was logged stays."""
    forwarding.add_issues(PROJECT, HOUR_AGO, count=1500)
    forwarding.set_faults({"kind": "bad_cursor", "path": SEARCH, "after": 1})
    assert "Invalid cursor" in forward()
    assert "500 new notifications" in forward()
    assert distinct(secops) == 1500


def test_no_secret_is_logged(forwarding: ListsControl, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    forwarding.add_issues(PROJECT, HOUR_AGO)
    forwarding.set_faults({"kind": "unauthorized", "path": SEARCH})
    assert DEFAULT_KEY not in forward() + caplog.text
