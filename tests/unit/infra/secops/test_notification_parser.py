"""The SecOps parser for notifications gives an event and an entity, and takes real notifications."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from infra.local.secops.parsing.interpreter import Dropped, run_parser
from infra.local.virustotal.streams.items import Notification
from shared.streams.definition import look_up
from tests.support import optional_tools
from tests.support.parser_samples import (
    DIALECTS,
    NOTIFICATIONS,
    REAL_PAGES,
    RECEIVED,
    Item,
    items_of,
)

PARSER = NOTIFICATIONS.statements
ITEMS = NOTIFICATIONS.items
records_of = NOTIFICATIONS.records_of
WHOLE = next(item for item in ITEMS if look_up(item, "attributes.gti_assessment"))
REAL = pytest.mark.skipif(not REAL_PAGES, reason=optional_tools.SAMPLES.reason)


def of_entity(item: Item) -> object:
    """Return the threat of an item's entity."""
    _, entity = records_of(json.dumps(item))
    return look_up(entity, "entity.metadata.threat")[0]  # type: ignore[index]


@REAL
def test_a_real_notification_gives_an_event_and_an_entity() -> None:
    """The same verbatim and cleaned, and both as UDM has them."""
    for page in REAL_PAGES:
        for item in items_of(page):
            records = NOTIFICATIONS.same_in_every_reading(item)
            assert [list(record) for record in records] == [["event"], ["entity"]]
            assert NOTIFICATIONS.valid(json.dumps(item))


@pytest.mark.parametrize("number", range(24))
def test_a_simulated_notification_gives_an_event_and_an_entity(number: int) -> None:
    """Its shapes are those of feeds, which other tests hold to real lines."""
    log = Notification("s", number, 1_780_000_000).written().decode()
    assert [list(record) for record in records_of(log)] == [["event"], ["entity"]]
    assert NOTIFICATIONS.valid(log)


def test_nothing_looks_like_a_machine_of_the_customer() -> None:
    """The indicator is in security_result.about, the scanner in observer; no noun names a host."""
    for item in ITEMS:
        event = look_up(records_of(json.dumps(item))[0], "event")
        assert isinstance(event, dict)
        assert event.keys() == {"metadata", "observer", "security_result"}
        assert event["metadata"]["event_type"] == "GENERIC_EVENT"
        [result] = event["security_result"]
        assert "hostname" not in result["about"]
        assert indicator_of(result["about"]) == (look_up(item, "attributes.url") or item["id"])


def indicator_of(noun: Item) -> object:
    """Return the indicator in a noun."""
    return next(
        found
        for path in ("file.sha256", "domain.name", "artifact.ip", "url")
        if (found := look_up(noun, path)) is not None
    )


def test_an_entity_is_valid_for_thirty_days() -> None:
    """From the notification on."""
    for item in ITEMS:
        for record in run_parser(PARSER, json.dumps(item), RECEIVED):
            if "entity" in record:
                interval = look_up(record, "entity.metadata.interval")
                assert isinstance(interval, dict)
                assert interval["end_time"] - interval["start_time"] == timedelta(days=30)


# Dates with many nines and zeros, for carries.
DATES = st.lists(st.sampled_from("99999000001234567889"), min_size=9, max_size=9).map("".join).map(int)


@settings(deadline=None)
@given(st.integers(1, 8).flatmap(lambda first: DATES.map(lambda rest: first * 10**9 + rest)))
@example(1_997_408_000)
@example(1_997_407_999)
@example(1_999_999_999)
@example(8_999_999_999)
def test_thirty_days_are_added_to_any_date(date: int) -> None:
    """Digit by digit, with every carry."""
    item = {"id": "a.example", "type": "domain", "context_attributes": {"notification_date": date}}
    _, entity = run_parser(PARSER, json.dumps(item), RECEIVED)
    end = datetime.fromtimestamp(date, UTC) + timedelta(days=30)
    assert look_up(entity, "entity.metadata.interval.end_time") == end


def assessed(**attributes: object) -> Item:
    """Return a domain with these attributes."""
    return {
        "id": "a.example",
        "type": "domain",
        "attributes": attributes,
        "context_attributes": {"notification_date": 1_780_000_000},
    }


GTI = {"verdict": {"value": "VERDICT_BENIGN"}, "severity": {"value": "SEVERITY_LOW"}, "threat_score": {"value": 12}}


def level(value: str) -> dict[str, str]:
    """Return a threat_severity."""
    return {"threat_severity_level": f"SEVERITY_{value}"}


def stats(malicious: int, suspicious: int = 0) -> dict[str, int]:
    """Return counts of engines."""
    return {"malicious": malicious, "suspicious": suspicious, "undetected": 40, "harmless": 50, "timeout": 0}


@pytest.mark.parametrize(
    ("attributes", "verdict", "severity", "score"),
    [
        # GTI's assessment before everything else.
        ({"gti_assessment": GTI, "mandiant_ic_score": 95, "last_analysis_stats": stats(40)}, "BENIGN", "LOW", 12.0),
        # Then the older fields.
        ({"threat_severity": level("HIGH"), "mandiant_ic_score": 95}, "MALICIOUS", "HIGH", 95.0),
        ({"threat_severity": level("MEDIUM"), "mandiant_ic_score": 61}, "SUSPICIOUS", "MEDIUM", 61.0),
        ({"mandiant_ic_score": 9, "last_analysis_stats": stats(0)}, "BENIGN", "NONE", 9.0),
        # Then the engines; SEVERITY_NONE and an undecided score say less than they do.
        ({"threat_severity": level("NONE"), "last_analysis_stats": stats(25)}, "MALICIOUS", "HIGH", 90.0),
        ({"last_analysis_stats": stats(4)}, "MALICIOUS", "MEDIUM", 70.0),
        ({"last_analysis_stats": stats(1)}, "SUSPICIOUS", "LOW", 40.0),
        ({"last_analysis_stats": stats(0, 2)}, "SUSPICIOUS", "LOW", 40.0),
        ({"mandiant_ic_score": 50, "last_analysis_stats": stats(12)}, "MALICIOUS", "HIGH", 50.0),
        ({"threat_severity": level("NONE"), "last_analysis_stats": stats(0)}, "UNDETECTED", "NONE", 0.0),
        ({"threat_severity": level("NONE")}, None, "NONE", None),
        ({"gti_assessment": None, "threat_severity": {}, "last_analysis_stats": {}}, None, None, None),
        ({}, None, None, None),
    ],
)
def test_verdict_severity_and_score(
    attributes: Item, verdict: str | None, severity: str | None, score: float | None
) -> None:
    """Each from the best that the item has."""
    threat = of_entity(assessed(**attributes))
    labels = {look_up(label, "key"): look_up(label, "value") for label in look_up(threat, "detection_fields") or ()}  # type: ignore[attr-defined]
    assert (labels.get("verdict"), look_up(threat, "severity"), look_up(threat, "risk_score")) == (
        verdict,
        severity,
        score,
    )


@pytest.mark.parametrize(
    "log",
    [
        "no JSON",
        "[]",
        "{}",
        '{"id": null, "type": "file"}',
        '{"id": "x"}',
        '{"id": "x", "type": "collection"}',
        '{"id": "", "type": "file"}',
        '{"id": "0123abcd", "type": "url", "attributes": {}}',
    ],
)
def test_what_is_no_indicator_is_dropped(log: str) -> None:
    """With a tag, which the tenant's ingestion metrics count."""
    for dialect in DIALECTS:
        with pytest.raises(Dropped, match="TAG_"):
            run_parser(PARSER, log, RECEIVED, dialect)
