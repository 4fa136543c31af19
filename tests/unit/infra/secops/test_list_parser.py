"""The SecOps parser for notifications takes elements of threat lists, and gives an entity without an event."""

import base64
import json
from datetime import timedelta
from itertools import chain

import pytest

from infra.local.secops.parsing.interpreter import Dropped, run_parser
from infra.local.virustotal.threat_lists.content import LISTS, ListHour
from services.secops_forwarder.importer.cleaning import write_cleaned
from shared.contracts.minutes import parse_minute
from shared.streams.definition import look_up
from shared.streams.forwarded import ForwardedFeed
from tests.support import optional_tools
from tests.support.landings import LandingHarness, land_hour
from tests.support.parser_samples import DIALECTS, LISTED, NOTIFICATIONS, RECEIVED, Item
from tests.support.paths import SAMPLES

REAL = sorted((SAMPLES / "gti").glob("threat_list_*.json"))
HOUR = parse_minute("2026-06-01T14:00Z")
TYPES = {"file": "FILE", "domain": "DOMAIN_NAME", "ip_address": "IP_ADDRESS", "url": "URL"}
RELATIONS = {
    "malware_families": "MALWARE",
    "threat_actors": "THREAT_ACTOR",
    "campaigns": "CAMPAIGN",
    "reports": "REPORT",
}


def element(**attributes: object) -> Item:
    """Return a domain on a list."""
    dated = {"last_modification_date": 1_780_300_000, **attributes}
    return {"threat_list": "malware", "data": {"id": "a.example", "type": "domain", "attributes": dated}}


def entity_of(item: Item) -> Item:
    """Return the entity of an element, which is its only record, in every reading of the language."""
    [record] = LISTED.same_in_every_reading(item)
    assert list(record) == ["entity"]
    assert LISTED.valid(json.dumps(item))
    return record["entity"]  # type: ignore[return-value]


def is_of(entity: Item, item: Item) -> bool:
    """Return whether an entity has the list, the type and the indicator of an element."""
    metadata = entity["metadata"]
    named = [look_up(metadata, path) for path in ("feed", "entity_type", "product_entity_id")]
    indicator = look_up(item, "data.attributes.url") or look_up(item, "data.id")
    return named == [f"GTI threat list {item['threat_list']}", TYPES[str(look_up(item, "data.type"))], indicator]


@pytest.mark.parametrize("name", LISTS)
def test_a_simulated_element_gives_an_entity(name: str) -> None:
    """Of every list and type."""
    for data in ListHour("s", name, HOUR, 8).elements(HOUR + timedelta(hours=2)):
        item: Item = {"threat_list": name, "data": data}
        assert is_of(entity_of(item), item)


@pytest.mark.skipif(not REAL, reason=optional_tools.SAMPLES.reason)
def test_a_real_element_gives_an_entity() -> None:
    """An hour, the latest ones, and an hour without any."""
    answers = [json.loads(page.read_bytes()) for page in REAL]
    found = [(answer["iocs"] or () if isinstance(answer, dict) else answer) for answer in answers]
    for one in chain.from_iterable(found):
        item: Item = {"threat_list": "malware", "data": one["data"]}
        entity = entity_of(item)
        assert is_of(entity, item)
        assert look_up(entity, "entity.file.md5") == look_up(item, "data.attributes.md5")


def test_the_assessment_and_the_associations_are_in_the_threat() -> None:
    """The list is a category; families and actors are associations, campaigns and reports collections."""
    assessment = {"verdict": {"value": "VERDICT_MALICIOUS"}, "threat_score": {"value": 80}}
    item = element(gti_assessment={**assessment, "severity": {"value": "SEVERITY_HIGH"}})
    related = {kind: {"data": [{"id": kind, "attributes": {"name": kind}}]} for kind in RELATIONS}
    data = {**item["data"], "relationships": related}  # type: ignore[dict-item]
    threats = look_up(entity_of({**item, "data": data}), "metadata.threat")
    assert isinstance(threats, list)
    [threat] = threats
    kept = ("threat_verdict", "severity", "risk_score", "category_details", "threat_feed_name")
    assert [threat[name] for name in kept] == ["MALICIOUS", "HIGH", 80.0, ["malware"], "GTI threat list malware"]
    assert {one["id"]: one["type"] for one in (*threat["associations"], *threat["threat_collections"])} == RELATIONS


def test_an_entity_is_valid_for_thirty_days_from_the_last_modification() -> None:
    """The date of the listing is not in an element."""
    interval = look_up(entity_of(element(last_modification_date=1_780_300_000)), "metadata.interval")
    assert interval == {"start_time": "2026-06-01T07:46:40Z", "end_time": "2026-07-01T07:46:40Z"}


@pytest.mark.parametrize("clean", [True, False])
def test_what_is_sent_of_a_landed_hour_gives_entities(clean: bool) -> None:
    """Also of a list that was cut."""
    harness = LandingHarness()
    harness.feeds, harness.clean = [ForwardedFeed("threat_lists", "GTI_LISTS_CUSTOM")], clean
    item = element()
    lines = [json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in (item, cut_of(element(), "osx"))]
    harness.importer().landings.handle(land_hour(harness.bucket, lines))
    records = [LISTED.records_of(base64.b64decode(log["data"]).decode()) for log in harness.secops.logs()]
    assert records == [[{"entity": entity_of(one)}] for one in (item, {**item, "threat_list": "osx"})]


def cut_of(item: Item, threat_list: str) -> Item:
    """Return an element as that of a list that was cut."""
    return {"threat_list": threat_list, "cut": True, "data": item["data"]}


def test_a_notification_with_data_is_a_notification() -> None:
    """The list's name decides, and nothing else."""
    item = {**NOTIFICATIONS.items[0], "data": {"id": "b.example", "type": "domain"}}
    assert NOTIFICATIONS.records_of(json.dumps(item)) == NOTIFICATIONS.records_of(json.dumps(NOTIFICATIONS.items[0]))


@pytest.mark.parametrize(
    "item",
    [
        {"threat_list": "malware"},
        {"threat_list": "malware", "id": None, "data": {"type": "domain"}},
        {"threat_list": "malware", "data": {"id": "x", "type": "collection"}},
        {"threat_list": None, "data": {"id": "a.example", "type": "domain"}},
        {"data": {"id": "a.example", "type": "domain"}},
        element(last_modification_date=None),
        element(last_modification_date="soon"),
        {**element(), "data": {**element()["data"], "id": "_dmarc.example"}},  # type: ignore[dict-item]
    ],
)
def test_what_gives_no_entity_is_dropped(item: Item) -> None:
    """With a tag, which the tenant's ingestion metrics count."""
    for dialect in DIALECTS:
        for log in (json.dumps(item), write_cleaned(item).decode()):
            with pytest.raises(Dropped, match="TAG_"):
                run_parser(LISTED.statements, log, RECEIVED, dialect)
