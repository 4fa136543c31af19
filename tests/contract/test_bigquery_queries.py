"""The queries of docs/warehouse.md, each of which has an answer in a demo's data."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.endpoints import Endpoints
from infra.local.virustotal.packages import Package
from shared.feeds.definition import known_feeds
from shared.minutes import last_due
from shared.ports import LedgerRow
from tests.documented import DOCUMENTED
from tests.landed import Object
from tests.warehouse import Warehouse, provisioned

MODEL = "A model that tells malicious domains from their registration"
FILE = "f" * 64


def stories(analysed: int) -> dict[str, list[Object]]:
    """Return objects that answer what random ones may not."""
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
    """Return a warehouse with a few minutes of every feed, as the simulator writes them, and the stories."""
    last = last_due(datetime.now(UTC)) - timedelta(minutes=10)
    with provisioned(emulators) as warehouse:
        for feed in known_feeds().values():
            own = replace(warehouse, feed=feed)
            own.provision()
            for back in range(2):
                minute = last - timedelta(minutes=back)
                package = Package("7", feed.name, minute, 15).lines_as_bytes()
                told = stories(int(minute.timestamp()))[feed.name] if not back else []
                landed = own.land(minute, *(json.loads(line) for line in package), *told)
                own.load(landed)
                own.ledger.record([LedgerRow("loaded", minute, feed.name, minute, lines=landed.lines, rejected=0)])
            own.merge()
        yield warehouse


def ask(demo: Warehouse, title: str) -> list[dict[str, object]]:
    """Run a documented query on the demo's data."""
    return demo.run(DOCUMENTED[title].replace("vt_feeds.", f"{demo.dataset}."))


@pytest.mark.parametrize("title", [title for title in DOCUMENTED if title != MODEL])
def test_every_query_has_an_answer(demo: Warehouse, title: str) -> None:
    """As it stands on the page."""
    assert ask(demo, title)


def test_a_model_has_rows_to_learn_from(demo: Warehouse) -> None:
    """The emulator trains nothing, so only the query inside is run; the analyzer reads the whole statement."""
    select = DOCUMENTED[MODEL].partition(" AS\n")[2].replace("vt_feeds.", f"{demo.dataset}.")
    assert {row["is_malicious"] for row in demo.run(select)} == {True, False}


def test_answers_are_the_right_ones(demo: Warehouse) -> None:
    """Where the stories say what they must be."""
    [flip] = [row for row in ask(demo, "Verdict flips") if row["id"] == "flip.example"]
    assert (flip["malicious_before"], flip["malicious_after"]) == (0, 9)
    [shared] = ask(demo, "Certificates shared by malicious domains")
    assert (shared["domains"], shared["worst"], shared["examples"]) == (2, 9, ["flip.example", "twin.example"])
    known = {row["id"]: row["malicious"] for row in ask(demo, "What was known at the time")}
    assert (known["flip.example"], known["twin.example"]) == (9, 7)
    assert all(row["wrong"] == 0 for row in ask(demo, "Lines accounted for, day by day"))
    assert [row["id"] for row in ask(demo, "Files that engines flag and a sandbox calls clean")] == [FILE]


def test_there_are_at_least_ten() -> None:
    """And each has a title of its own."""
    assert len(DOCUMENTED) >= 10
