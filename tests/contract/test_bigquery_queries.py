"""The queries of docs/warehouse.md and docs/threat-lists.md, each of which returns rows on simulated data."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import pytest

from infra.endpoints import Endpoints
from infra.local.virustotal.content.entity_version import Json
from infra.local.virustotal.packages import Package
from infra.local.virustotal.threat_lists.content import ListHour
from shared.contracts.interfaces import LedgerRow
from shared.contracts.minutes import ONE_HOUR
from shared.feeds.definition import Feed, known_feeds
from tests.support.documented import DOCUMENTED, MOVING_LISTS, OF_LISTS
from tests.support.landed import Object
from tests.support.warehouse import Warehouse, provisioned, utc

MODEL = "A model that detects malicious domains by their registration"
FILE = "f" * 64
# A fixed minute and seed: the simulator writes the same lines each time.
LAST = utc(14, 10)
MINUTES = 3
# Streams have queries of their own (test_bigquery_streams.py).
FEEDS = [feed for feed in known_feeds().values() if feed.source != "streams"]


def stories(analysed: int) -> dict[str, list[Object]]:
    """Return objects that match queries for which random objects may have no match."""
    certificate = {"last_https_certificate": {"thumbprint_sha256": "c" * 64}}
    ranks = {"popularity_ranks": {"Made-up List": {"rank": 10, "timestamp": analysed}}}
    new = {"creation_date": analysed - 86_400, **certificate, **ranks}

    def domain(name: str, malicious: int, at: int, attributes: Object) -> Object:
        stats = {"malicious": malicious, "suspicious": 0}
        return {"id": name, "attributes": {"last_analysis_date": at, "last_analysis_stats": stats, **attributes}}

    flagged = {"last_analysis_date": analysed, "last_analysis_stats": {"malicious": 9}}
    served = {"last_serving_ip_address": {"data": {"id": "192.0.2.1"}}}
    return {
        "domains": [
            domain("flip.example", 0, analysed - 60, {}),
            domain("flip.example", 9, analysed, new),
            domain("twin.example", 7, analysed, new),
        ],
        "files": [{"id": FILE, "attributes": flagged}],
        "file_behaviours": [
            {
                "id": f"{FILE}_Some Sandbox",
                "attributes": {"analysis_date": analysed, "verdicts": ["CLEAN"]},
                "relationships": {"file": {"data": {"id": FILE}}},
            }
        ],
        "urls": [{"id": "u", "attributes": {**flagged, "last_http_response_code": 200}, "relationships": served}],
        "ip_addresses": [{"id": "192.0.2.1", "attributes": {**flagged, "asn": 64_512}}],
    }


@pytest.fixture(scope="module")
def demo(emulators: Endpoints) -> Iterator[Warehouse]:
    """Return a warehouse with a few simulated minutes of every feed."""
    with provisioned(emulators) as warehouse:
        for feed in FEEDS:
            of_feed = replace(warehouse, feed=feed)
            of_feed.provision()
            for back in range(MINUTES):
                minute = LAST - timedelta(minutes=back)
                bring_in(of_feed, *simulated(feed, minute, back))
            of_feed.merge()
        yield warehouse


def simulated(feed: Feed, minute: datetime, back: int) -> tuple[datetime, Iterable[Object]]:
    """Return a package of a feed; of a feed of hours as many hours back as minutes of the others."""
    if feed.source == "feeds":
        return minute, (json.loads(line) for line in Package("7", feed.name, minute, 20).lines_as_bytes())
    hour = LAST.replace(minute=0) - timedelta(hours=back)
    lists = {name: ListHour("7", name, hour, 16).elements(LAST) for name in ("malware", "trending")}
    return hour, (listed(name, one) for name, elements in lists.items() for one in elements)


def listed(name: str, data: Json) -> Object:
    """Return the line of an element of a list."""
    return {"id": f"{name}/{data['type']}/{data['id']}", "threat_list": name, "data": data}


@pytest.fixture(scope="module")
def stories_loaded(demo: Warehouse) -> Warehouse:
    """Return the warehouse with the stories added to the simulated data."""
    minute = LAST + timedelta(minutes=1)
    told = stories(int(minute.timestamp()))
    for feed in FEEDS:
        of_feed = replace(demo, feed=feed)
        if feed.source == "feeds":
            bring_in(of_feed, minute, told[feed.name])
        else:
            for number, hour in enumerate((LAST.replace(minute=0) - timedelta(days=3), LAST.replace(minute=0))):
                name = ("left.example", "flip.example")[number]
                bring_in(of_feed, hour + number * ONE_HOUR, [listed("phishing", {"type": "domain", "id": name})])
        of_feed.merge()
    return demo


def bring_in(warehouse: Warehouse, minute: datetime, lines: Iterable[Object]) -> None:
    """Land and load a minute, with its ledger event."""
    landed = warehouse.land(minute, *lines)
    warehouse.load(landed)
    row = LedgerRow("loaded", minute, warehouse.feed.name, minute, lines=landed.lines, rejected=0)
    warehouse.ledger.record([row])


def ask(warehouse: Warehouse, sql: str) -> list[dict[str, object]]:
    """Run a documented query at a time shortly after the newest data."""
    now = f"TIMESTAMP '{LAST + timedelta(minutes=75):%Y-%m-%d %H:%M:%S}+00'"
    return warehouse.run(sql.replace("vt_feeds.", f"{warehouse.dataset}.").replace("CURRENT_TIMESTAMP()", now))


@pytest.mark.parametrize("title", [title for title in DOCUMENTED if title != MODEL])
def test_every_query_has_an_answer(demo: Warehouse, title: str) -> None:
    """Each query runs unchanged on simulated data alone and returns rows."""
    assert ask(demo, DOCUMENTED[title])


def test_a_model_has_rows_to_learn_from(demo: Warehouse) -> None:
    """The emulator cannot train models, so only the inner query is run; the analyzer reads the whole statement."""
    select = DOCUMENTED[MODEL].partition(" AS\n")[2]
    assert {row["is_malicious"] for row in ask(demo, select)} == {True, False}


def test_answers_are_the_right_ones(stories_loaded: Warehouse) -> None:
    """Answers about the stories are the expected ones."""
    [flip] = [row for row in ask(stories_loaded, DOCUMENTED["Verdict flips"]) if row["id"] == "flip.example"]
    assert (flip["malicious_before"], flip["malicious_after"]) == (0, 9)
    certificates = ask(stories_loaded, DOCUMENTED["Certificates shared by malicious domains"])
    [shared] = [row for row in certificates if row["certificate"] == "c" * 64]
    assert (shared["domains"], shared["worst"], shared["examples"]) == (2, 9, ["flip.example", "twin.example"])
    known = {row["id"]: row["malicious"] for row in ask(stories_loaded, DOCUMENTED["What was known at the time"])}
    assert (known["flip.example"], known["twin.example"]) == (9, 7)
    assert all(row["wrong"] == 0 for row in ask(stories_loaded, DOCUMENTED["Lines accounted for, day by day"]))
    clean = ask(stories_loaded, DOCUMENTED["Files that engines flag and a sandbox calls clean"])
    assert FILE in [row["id"] for row in clean]


@pytest.mark.parametrize("title", OF_LISTS)
def test_every_query_of_lists_has_an_answer(stories_loaded: Warehouse, title: str) -> None:
    """Each query runs unchanged and returns rows."""
    assert ask(stories_loaded, OF_LISTS[title])


def test_answers_about_lists_are_the_right_ones(stories_loaded: Warehouse) -> None:
    """Of two stories and the simulated lists."""
    several = ask(stories_loaded, OF_LISTS["On several lists"])
    assert {tuple(cast("list[str]", row["lists"])) for row in several} == {("malware", "trending")}
    [before] = [
        row
        for row in ask(stories_loaded, OF_LISTS["In the feed before it was listed"])
        if row["indicator"] == "flip.example"
    ]
    assert before["hours_before"] == 1.8
    [left] = ask(stories_loaded, OF_LISTS["No longer listed"])
    assert (left["threat_list"], left["indicator"]) == ("phishing", "left.example")
    assert all(cast("int", row["score"]) >= 60 for row in ask(stories_loaded, OF_LISTS["To block now"]))
    assert len(OF_LISTS) == 5


def test_a_script_that_merges_latest_is_compared_and_replaced(stories_loaded: Warehouse) -> None:
    """Only what the script merged lately and the mesh does not have is named; a view has the script's names."""
    compare, view = (sql.replace("predecessor.", f"{stories_loaded.dataset}.") for sql in MOVING_LISTS)
    compare, view = (sql.replace("ransomware", "phishing") for sql in (compare, view))
    stories_loaded.run(f"CREATE TABLE {stories_loaded.dataset}.phishing (id STRING, last_modification_date TIMESTAMP)")
    for name, ago in (("flip.example", 0), ("only-theirs.example", 1), ("long-gone.example", 6)):
        stories_loaded.run(
            f"INSERT INTO {stories_loaded.dataset}.phishing"  # noqa: S608
            f" VALUES ('{name}', TIMESTAMP '{LAST - timedelta(days=ago):%Y-%m-%d %H:%M:%S}+00')"
        )
    assert ask(stories_loaded, compare) == [{"id": "only-theirs.example"}]
    ask(stories_loaded, view)
    rows = stories_loaded.run(f"SELECT id, type FROM {stories_loaded.dataset}.phishing_of_the_mesh ORDER BY id")  # noqa: S608
    assert rows == [{"id": "flip.example", "type": "domain"}, {"id": "left.example", "type": "domain"}]


def test_there_are_at_least_ten() -> None:
    """The page has at least ten queries, each with a title of its own."""
    assert len(DOCUMENTED) >= 10
