"""Alerts of Digital Threat Monitoring, read by the real client from the simulator, and forwarded with their updates."""

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
from services.secops_forwarder.standalone.run import run_standalone
from shared.contracts.outcomes import TransientError
from shared.streams.definition import JsonObject, find_stream
from shared.virustotal.alert_reader import AlertReader
from shared.virustotal.client import FixedKey, VirusTotal, once
from shared.virustotal.errors import RequestRefused
from shared.virustotal.list_reader import ListQuery
from tests.support import optional_tools
from tests.support.paths import SAMPLES
from tests.support.secops import CUSTOMER, RunningSecOps
from tests.support.simulator import KEY, Running
from tests.support.waiting import PATIENCE

pytestmark = pytest.mark.usefixtures("two_attempts")

STREAM = find_stream("dtm_alerts")
LOG_TYPE = local_log_type("dtm_alerts")
PATH = "dtm/alerts"
NOW = datetime.now(UTC).replace(microsecond=0)
HOUR_AGO = NOW - timedelta(hours=1)


def reader(vt: Running) -> AlertReader:
    """Return the real client of the simulator."""
    return AlertReader(VirusTotal(api_url=f"{vt.url}/api/v3", key=FixedKey(SecretStr(DEFAULT_KEY)), retry=once))


def question(limit: int = 25, text: str = "refs=false", cursor: str | None = None) -> ListQuery:
    """Return a question for alerts."""
    return ListQuery(STREAM.path, text, STREAM.order, limit, cursor, STREAM.fields)


def collect(vt: Running, first: ListQuery) -> list[JsonObject]:
    """Return all alerts, page by page."""
    items: list[JsonObject] = []
    asked = first
    while True:
        page = reader(vt).page(asked)
        items += [json.loads(item.text) for item in page.items]
        if page.cursor is None:
            return items
        asked = question(first.limit, first.filter, page.cursor)


def patch(vt: Running, name: str, status: str) -> None:
    """Set an alert's status as an analyst does."""
    answer = requests.patch(f"{vt.url}/api/v3/{PATH}/{name}", headers=KEY, json={"status": status}, timeout=PATIENCE)
    assert answer.status_code == 200


def test_alerts_come_last_updated_first_and_once(vt: Running, lists: ListsControl) -> None:
    """Over several pages, and a changed one at the front; the key never goes to the host that links name."""
    ids = lists.add_alerts(HOUR_AGO, count=60, spacing=1)
    found = collect(vt, question())
    assert [item["id"] for item in found] == ids[::-1]
    patch(vt, ids[3], "read")
    [first, *_] = reader(vt).page(question()).items
    assert json.loads(first.text)["status"] == "read"
    assert (STREAM.date_of(first.known) or HOUR_AGO) > HOUR_AGO + timedelta(minutes=1)
    assert vt.control.stats().keys_at_download_port == 0


def test_a_page_can_be_asked_for_once(vt: Running, lists: ListsControl) -> None:
    """The link of a list always is the same here, so what is asked again comes from further back; then it expires."""
    lists.add_alerts(HOUR_AGO, count=80, spacing=1)
    cursor = reader(vt).page(question()).cursor
    pages = [reader(vt).page(question(cursor=cursor)).items for _ in range(2)]
    assert not {item.text for item in pages[0]} & {item.text for item in pages[1]}
    vt.control.move_clock(11 * 60)
    with pytest.raises(RequestRefused, match="does not exist or has expired"):
        reader(vt).page(question(cursor=cursor))


def test_an_empty_page_ends_the_list_although_it_has_a_link(vt: Running, lists: ListsControl) -> None:
    """Real lists were seen without a link on the last page, too."""
    lists.set_settings(flowing=False, trailing_link=True)
    lists.add_alerts(HOUR_AGO, count=25)
    first = reader(vt).page(question())
    assert first.cursor
    last = reader(vt).page(question(cursor=first.cursor))
    assert (last.items, last.cursor) == ((), None)


@pytest.mark.parametrize(
    ("text", "limit", "reason"),
    [("nonsense=1", 25, "unknown parameter nonsense"), ("", 26, "size must be 1 to 25"), ("since=soon", 5, "RFC 3339")],
)
def test_a_wrong_question_is_refused(vt: Running, text: str, limit: int, reason: str) -> None:
    """With the source's words, and it is not asked again."""
    with pytest.raises(RequestRefused, match=reason):
        reader(vt).page(question(limit, text))
    assert ListsControl(vt.url).requests(PATH) == {400: 1}


def test_since_does_not_find_what_has_changed(vt: Running, lists: ListsControl) -> None:
    """It is about the creation."""
    [old, *_] = lists.add_alerts(HOUR_AGO, count=3)
    patch(vt, old, "closed")
    since = (NOW - timedelta(minutes=5)).isoformat().replace("+", "%2B")
    assert not collect(vt, question(text=f"since={since}"))


def test_trouble_is_asked_once_in_a_call(vt: Running, lists: ListsControl) -> None:
    """Refused requests count, and a page cannot be asked for again."""
    lists.set_faults({"kind": "rate_limited", "path": PATH, "times": None})
    with pytest.raises(TransientError):
        reader(vt).page(question())
    assert lists.requests(PATH) == {429: 1}


def test_a_hundred_refusals_lock_the_key_out_for_an_hour(vt: Running, lists: ListsControl) -> None:
    """As documented."""
    for _ in range(100):
        requests.get(f"{vt.url}/api/v3/{PATH}?size=0", headers=KEY, timeout=PATIENCE)
    with pytest.raises(TransientError, match="TooManyRequestsError"):
        reader(vt).page(question())
    vt.control.move_clock(3700)
    lists.add_alerts(NOW)
    assert reader(vt).page(question()).items


def test_documents_come_only_if_asked_for(vt: Running, lists: ListsControl) -> None:
    """And cut, if that is asked for."""
    lists.add_alerts(HOUR_AGO)
    [plain], [whole], [cut] = (collect(vt, question(text=text)) for text in ("refs=false", "", "refs=true&truncate=9"))
    assert "doc" not in plain
    bodies = [one["doc"]["body"] for one in (whole, cut) if isinstance(one["doc"], dict)]
    assert [len(body) > 9 for body in bodies] == [True, False]


def test_flowing_alerts_change_as_real_ones_do(vt: Running) -> None:
    """A summary after seconds, a status after hours; each moves updated_at alone."""
    found = collect(vt, question())
    assert len(found) == len({item["id"] for item in found}) > 1000
    assert {item["status"] for item in found} == {"new", "read", "closed"}
    assert sum(item["updated_at"] != item["created_at"] for item in found) > len(found) // 2
    assert len({frozenset(item) for item in found}) > 1


def test_simulated_alerts_have_the_shape_of_real_ones(vt: Running) -> None:
    """Every usual field is there, with a value of the same kind; and real ones have the key, version and date."""
    file = SAMPLES / "gti/dtm_alerts_message_noref_2025.json"
    if not file.is_file():
        pytest.skip(optional_tools.SAMPLES.reason)
    real = json.loads(file.read_bytes())["alerts"]
    assert len({STREAM.key_of(alert) for alert in real} - {None}) == len(real)
    assert all(STREAM.date_of(alert) for alert in real)
    for name, value in reader_item(vt).items():
        assert all(name not in alert or isinstance(alert[name], type(value)) for alert in real), name


def reader_item(vt: Running) -> JsonObject:
    """Return one simulated alert."""
    item: JsonObject = json.loads(reader(vt).page(question()).items[0].text)
    return item


@pytest.fixture
def forwarding(
    vt: Running, secops: RunningSecOps, lists: ListsControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ListsControl:
    """Point the standalone forwarder at both simulators, for alerts alone."""
    monkeypatch.chdir(tmp_path)
    settings = {
        "GCP_PROJECT": "p",
        "STREAMS": "dtm_alerts",
        "VT_API_URL": f"{vt.url}/api/v3",
        "VT_API_KEY": DEFAULT_KEY,
        "SECOPS_API_URL": secops.url,
        "CHRONICLE_CUSTOMER_ID": CUSTOMER,
        **local_log_types(),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return lists


def forward() -> list[str]:
    """Forward once, and return what was said."""
    said: list[str] = []
    run_standalone(Path("pages"), once=True, say=said.append)
    return said


def versions(secops: RunningSecOps) -> Counter[str]:
    """Return how often each version was accepted."""
    return Counter(str(STREAM.key_of(json.loads(log.data))) for log in secops.control.logs(LOG_TYPE))


def test_every_update_is_forwarded_once(vt: Running, secops: RunningSecOps, forwarding: ListsControl) -> None:
    """Also of an alert that was created days ago, and a status that is set again."""
    [old] = forwarding.add_alerts(NOW - timedelta(days=3))
    new = forwarding.add_alerts(HOUR_AGO, count=30, spacing=1)
    assert "30 new notifications" in forward()[-1]
    patch(vt, old, "in_progress")
    patch(vt, new[0], "new")
    assert "2 new notifications" in forward()[-1]
    assert "0 new notifications" in forward()[-1]
    accepted = versions(secops)
    assert (len(accepted), set(accepted.values())) == (32, {1})
    assert vt.control.stats().keys_at_download_port == 0


def test_a_refusal_is_one_problem_and_a_pause(vt: Running, secops: RunningSecOps, forwarding: ListsControl) -> None:
    """The source is left alone; with the pause over, what is there is forwarded."""
    del vt, secops
    forwarding.add_alerts(HOUR_AGO, count=3)
    forwarding.set_faults({"kind": "forbidden", "path": PATH, "times": None})
    assert "no licence" in forward()[-1]
    paused = "dtm_alerts: not asked for, after a refusal of the source"
    assert [forward()[-1] for _ in range(3)] == [paused] * 3
    assert forwarding.requests(PATH) == {403: 1}
    forwarding.set_faults()
    Path("pages/state/streams/pauses/dtm_alerts.json").unlink()
    assert "3 new notifications" in forward()[-1]


def test_no_content_of_an_alert_is_logged(
    vt: Running, secops: RunningSecOps, forwarding: ListsControl, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong with it: an alert holds personal data."""
    caplog.set_level(logging.DEBUG, logger="services")
    caplog.set_level(logging.DEBUG, logger="shared")
    forwarding.add_alerts(HOUR_AGO, count=3)
    [alert, *_] = collect(vt, question())
    secops.control.set_faults({"kind": "bad_request", "times": 5})
    said = forward()
    texts = [caplog.text, *said]
    assert any("dead letter" in text for text in said)
    for name in ("title", "alert_summary", "doc_url"):
        assert not any(str(alert[name]) in text for text in texts), name
