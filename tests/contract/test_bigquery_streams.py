"""Items of streams in BigQuery: their columns, their versions, and the queries of docs/stream-tables.md."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.endpoints import Endpoints
from infra.local.virustotal.streams.alerts import Alert
from infra.local.virustotal.streams.collections import Collection
from infra.local.virustotal.streams.items import Notification
from shared.feeds.definition import find_feed
from tests.contract.test_bigquery_feeds import expected, filled
from tests.contract.test_bigquery_queries import ask, bring_in
from tests.support import optional_tools
from tests.support.documented import OF_STREAMS
from tests.support.landed import Object
from tests.support.paths import SAMPLES
from tests.support.warehouse import Warehouse, provisioned, utc

HOUR = utc(13, 0)
DOMAIN = "notified.example"
VULNERABILITY = "vulnerability--cve-2026-10000"


def alerts() -> Iterator[Object]:
    """Yield an alert that is new and then read, and another that stays new."""
    created = (HOUR - timedelta(hours=1)).timestamp()
    for number, updated, status in ((1, 0.25, "new"), (2, 0.5, "new"), (1, 1800.125, "read")):
        one = Alert("7", number, created, created + updated, status)
        yield json.loads(one.written(refs=False, truncate=None))


def issues() -> Iterator[Object]:
    """Yield an issue that is open, in two scans, and that triage then closes without moving a date."""
    for seen, status in ((1, "open_new"), (2, "open_new"), (2, "closed_no_repro")):
        yield {
            "id": "a" * 64,
            "project_id": "7",
            "first_seen": "2026-11-01T00:00:00.000Z",
            "last_seen": f"2026-11-2{seen}T00:00:00.000Z",
            "entity_name": "https://host.example:443",
            "summary": {"severity": 1, "status": status, "scoped": True},
        }


def vulnerabilities() -> Iterator[Object]:
    """Yield a vulnerability in two versions, of which the second is exploited."""
    for date, state in ((HOUR - timedelta(days=2), "No Known"), (HOUR, "Confirmed")):
        item = json.loads(Collection("7", "vulnerability", 0, int(date.timestamp())).written())
        item["attributes"]["exploitation_state"] = state
        yield {**item, "id": VULNERABILITY}


def notifications() -> Iterator[Object]:
    """Yield notifications about entities of every type; one is about a domain of the feed."""
    for number in range(8):
        yield json.loads(Notification("7", number, int(HOUR.timestamp()) + number).written())
    yield {
        "id": DOMAIN,
        "type": "domain",
        "attributes": {
            "last_analysis_stats": {"malicious": 1},
            "gti_assessment": {"verdict": {"value": "VERDICT_MALICIOUS"}},
        },
        "context_attributes": {
            "notification_id": "99",
            "notification_date": int(HOUR.timestamp()),
            "origin": "hunting",
            "sources": [{"id": "1", "type": "hunting_ruleset", "label": "ours"}],
            "hunting_info": {"rule_name": "found", "rule_tags": ["a"]},
        },
    }


@pytest.fixture(scope="module")
def tables(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return a warehouse with the items of three streams and a domain of a feed."""
    known = {"id": DOMAIN, "attributes": {"last_analysis_date": 1, "last_analysis_stats": {"malicious": 7}}}
    lines: dict[str, list[Object]] = {
        "ioc_stream": list(notifications()),
        "dtm_alerts": list(alerts()),
        "vulnerabilities": list(vulnerabilities()),
        "domains": [known],
    }
    with provisioned(emulators) as warehouse:
        for name, items in lines.items():
            of_feed = replace(warehouse, feed=find_feed(name))
            of_feed.provision()
            bring_in(of_feed, HOUR, items)
            of_feed.merge()
        yield warehouse


@pytest.fixture(scope="module")
def shared_warehouse(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return a dataset of this module's own: its tests make the tables of other feeds."""
    with provisioned(emulators) as warehouse:
        yield warehouse


@pytest.mark.parametrize(
    ("stream", "items"),
    [
        ("ioc_stream", notifications),
        ("dtm_alerts", alerts),
        ("vulnerabilities", vulnerabilities),
        ("asm_issues", issues),
    ],
)
def test_items_fill_their_columns(warehouse: Warehouse, stream: str, items: Any) -> None:
    """Each column has the value at its path; a time in text has all of its digits."""
    lines = list(items())
    feed = find_feed(stream)
    assert filled(warehouse, feed, lines) == [tuple(expected(line, each) for each in feed.headline) for line in lines]


def test_a_time_in_text_is_a_timestamp_or_empty(warehouse: Warehouse) -> None:
    """Texts in RFC 3339 of several forms, and values that are none."""
    texts: list[object] = [
        *("2026-11-21T10:00:00.125Z", "2026-11-21T10:00:00Z", "2026-11-21T11:00:00+01:00"),
        *("never", "", 5, None, {}, [], "2026-13-01T00:00:00Z", "9" * 400),
    ]
    lines: list[Object] = [{"id": f"{number}", "updated_at": text} for number, text in enumerate(texts)]
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    rows = filled(warehouse, find_feed("dtm_alerts"), lines)
    assert [row[0] for row in rows] == [at + timedelta(milliseconds=125), at, at, *[None] * 8]


@pytest.mark.parametrize("title", OF_STREAMS)
def test_every_query_of_streams_has_an_answer(tables: Warehouse, title: str) -> None:
    """Each query runs unchanged and returns rows."""
    assert ask(tables, OF_STREAMS[title])


def test_answers_about_streams_are_the_right_ones(tables: Warehouse) -> None:
    """The newest version counts, and a notification is joined with what the feed knows."""
    [joined] = ask(tables, OF_STREAMS["Notifications beside the feed"])
    assert (joined["indicator"], joined["malicious_then"], joined["malicious_now"]) == (DOMAIN, 1, 7)
    status = {row["id"]: row["status"] for row in ask(tables, OF_STREAMS["Alerts that are open"])}
    assert sorted(map(str, status.values())) == ["new", "read"]
    [day] = ask(tables, OF_STREAMS["How long alerts stay new"])
    assert (day["alerts"], day["handled"], day["minutes"]) == (2, 1, 30.0)
    [changed] = ask(tables, OF_STREAMS["Vulnerabilities whose exploitation changed"])
    assert (changed["id"], changed["before"], changed["exploitation_state"]) == (VULNERABILITY, "No Known", "Confirmed")
    [found] = [row for row in ask(tables, OF_STREAMS["Rules by what they found"]) if row["rule_name"] == "found"]
    assert (found["notifications"], found["malicious"]) == (1, 1)


def test_the_latest_of_versions_without_a_date_is_the_newest(warehouse: Warehouse) -> None:
    """Whatever its items say: the version that was collected last."""
    feed = find_feed("asm_issues")
    filled(warehouse, feed, list(issues()))
    [row] = replace(warehouse, feed=feed).read("asm_issues_current", "id, status, feed_line")
    assert tuple(row) == ("a" * 64 + "/7", "closed_no_repro", 3)


def test_the_view_has_the_whole_item(tables: Warehouse) -> None:
    """An alert has neither attributes nor context, so its view has the item itself."""
    sql = f"SELECT COUNTIF(JSON_VALUE(object, '$.doc_url') IS NOT NULL) AS n FROM `{tables.dataset}.dtm_alerts`"  # noqa: S608
    [row] = tables.run(sql)
    assert row["n"] == 2


def test_real_items_fill_their_columns(warehouse: Warehouse) -> None:
    """Notifications, vulnerabilities and alerts as they were recorded."""
    if not (SAMPLES / "gti").is_dir():
        pytest.skip(optional_tools.SAMPLES.reason)
    pages = [json.loads(file.read_bytes())["data"] for file in sorted((SAMPLES / "ioc_stream").glob("*.json"))]
    alerts_page = json.loads((SAMPLES / "gti/dtm_alerts_message_noref_2025.json").read_bytes())
    recorded: dict[str, list[Object]] = {
        "ioc_stream": [item for page in pages for item in page],
        "vulnerabilities": [
            json.loads(line) for line in (SAMPLES / "gti/vulnerability_collections_2.ndjson").read_text().splitlines()
        ],
        "dtm_alerts": alerts_page["alerts"],
    }
    for stream, lines in recorded.items():
        feed = find_feed(stream)
        rows = filled(warehouse, feed, lines)
        assert rows == [tuple(expected(line, each) for each in feed.headline) for line in lines]
        version = [each.name for each in feed.headline].index(feed.version[0])
        assert all(row[version] for row in rows)
