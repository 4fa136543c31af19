"""The SecOps parser for DTM alerts gives one event an alert, without what a detection does not need."""

import json
from itertools import islice

import pytest

from infra.local.secops.parsing.interpreter import Dropped, run_parser
from infra.local.virustotal.streams.alerts import STATUSES, Alerts
from shared.streams.definition import look_up
from tests.support import optional_tools
from tests.support.parser_samples import ALERTS, DIALECTS, RECEIVED, Item
from tests.support.paths import SAMPLES

NOW = 1_780_300_000.0
# What stands for leaked, private or authored content in the sample pages.
PRIVATE = ("made-up-password", "0000111122223333", "made-up body", "made-up text", "Made Up")


def result_of(item: Item) -> Item:
    """Return the only result of an alert's event."""
    results = ALERTS.event_of(item)["security_result"]
    assert isinstance(results, list)
    [result] = results
    return result  # type: ignore[no-any-return]


def labels_of(item: Item) -> list[tuple[str, str]]:
    """Return the labels of an alert's event."""
    return [(label["key"], label["value"]) for label in result_of(item).get("detection_fields", ())]  # type: ignore[attr-defined]


def test_private_content_stays_in_the_raw_log() -> None:
    """No event has a password, a card number, a document's text or its author."""
    raw, events = json.dumps(ALERTS.items), json.dumps([ALERTS.event_of(item) for item in ALERTS.items])
    for text in PRIVATE:
        assert text in raw
        assert text not in events


def test_nothing_looks_like_a_machine_of_the_customer() -> None:
    """No noun names a host or an address."""
    for item in ALERTS.items:
        event = ALERTS.event_of(item)
        assert event.keys() <= {"metadata", "observer", "target", "security_result"}
        assert look_up(event, "target.hostname") is None
        assert look_up(event, "target.ip") is None


@pytest.mark.parametrize(
    ("created", "updated", "time"),
    [
        ("2026-06-01T10:00:00Z", "2026-06-01T12:30:00.5Z", "2026-06-01T12:30:00.500Z"),
        ("2026-06-01T10:00:00.97Z", None, "2026-06-01T10:00:00.970Z"),
        ("2026-06-01T12:00:00+02:00", "", "2026-06-01T10:00:00Z"),
        ("0001-01-01T00:00:00Z", "soon", None),
    ],
)
def test_the_time_of_an_event_is_that_of_the_version(created: str, updated: str | None, time: str | None) -> None:
    """Each version is an event of its own, so a change of status has the time of the change."""
    event = ALERTS.event_of({"id": "x", "created_at": created, "updated_at": updated})
    assert look_up(event, "metadata.event_timestamp") == time


@pytest.mark.parametrize(
    ("confidence", "level"),
    [
        (1, "HIGH"),
        (0.93, "HIGH"),
        ("0.8", "HIGH"),
        (0.79, "MEDIUM"),
        (0.4, "MEDIUM"),
        (0.3999, "LOW"),
        (0.05, "LOW"),
        (1e-05, "LOW"),
        (0, "LOW"),
    ],
)
def test_confidence_is_a_share_of_one(confidence: float | str, level: str) -> None:
    """Its level and its value."""
    result = result_of({"id": "x", "confidence": confidence})
    assert result["confidence"] == f"{level}_CONFIDENCE"
    assert result["confidence_score"] == float(confidence)


def test_every_status_is_one_of_udm_and_a_label() -> None:
    """Only what an analyst has done with is cleared."""
    by_status = {status: result_of({"id": "x", "status": status})["threat_status"] for status in STATUSES}
    cleared = {"closed", "no_action_required", "duplicate"}
    assert {status for status, found in by_status.items() if found == "CLEARED"} == cleared
    assert {status for status, found in by_status.items() if found == "FALSE_POSITIVE"} == {"not_relevant"}
    assert labels_of({"id": "x", "status": "read"}) == [("status", "read")]


@pytest.mark.parametrize(
    ("account", "user"),
    [
        ({"login": "A.B@Acme.example"}, {"userid": "a.b@acme.example", "email_addresses": ["a.b@acme.example"]}),
        ({"login": "AcmeUser"}, {"userid": "AcmeUser"}),
        ({"login": "ACME\\user"}, {"userid": "ACME\\user"}),
        (
            {"login": "user", "profile": {"contact": {"email": "U@acme.example"}}},
            {"userid": "user", "email_addresses": ["u@acme.example"]},
        ),
        (
            {"profile": {"contact": {"email": "U@acme.example"}}},
            {"userid": "u@acme.example", "email_addresses": ["u@acme.example"]},
        ),
        ({"login": None, "profile": None}, None),
    ],
)
def test_a_leaked_account_is_the_target(account: Item, user: Item | None) -> None:
    """Addresses are in small letters; other names are as the leak has them."""
    assert look_up(ALERTS.event_of({"id": "x", "doc": {"service_account": account}}), "target.user") == user


def test_a_topic_that_matches_twice_is_told_once() -> None:
    """Terms and values of one topic follow each other."""
    match = {"topic_id": "1", "term": "acme", "value": "Acme"}
    labels = labels_of({"id": "x", "topic_matches": [match, {**match, "topic_id": "2"}, {**match, "value": "ACME"}]})
    assert labels == [("matched_term", "acme"), ("matched_value", "Acme"), ("matched_value", "ACME")]


@pytest.mark.parametrize("refs", [False, True])
def test_a_simulated_alert_gives_an_event(refs: bool) -> None:
    """Whatever its document is, with it and without; the document says what the alert is about."""
    for alert in islice(Alerts("s").latest(NOW, flowing=True), 24):
        item = json.loads(alert.written(refs=refs, truncate=None))
        event = ALERTS.same_in_every_reading(item)[0]["event"]
        assert look_up(event, "metadata.product_log_id") == alert.id
        assert ("about" in result_of(item)) is refs
        leaked = refs and item["alert_type"] == "Compromised Credentials"
        assert (look_up(event, "target.user.email_addresses") is not None) is leaked
        assert ALERTS.valid(json.dumps(item))


@pytest.mark.skipif(not (SAMPLES / "gti").is_dir(), reason=optional_tools.SAMPLES.reason)
@pytest.mark.parametrize(
    ("name", "path"), [("dtm_alerts_message_noref_2025", "alerts"), ("dtm_list_one_page_2023", "body.alerts")]
)
def test_a_real_alert_gives_an_event(name: str, path: str) -> None:
    """The same verbatim and cleaned, and as UDM has it."""
    page = json.loads((SAMPLES / "gti" / f"{name}.json").read_bytes())
    for item in look_up(page, path):  # type: ignore[attr-defined]
        event = ALERTS.same_in_every_reading(item)[0]["event"]
        assert look_up(event, "metadata.product_event_type") == "Message"
        assert look_up(event, "metadata.event_timestamp")
        assert ("document_type", "message") in labels_of(item)
        assert ALERTS.valid(json.dumps(item))


@pytest.mark.parametrize("log", ["no JSON", "[]", "{}", '{"id": null}', '{"id": "", "title": "x"}', '{"title": "x"}'])
def test_what_is_no_alert_is_dropped(log: str) -> None:
    """With a tag, which the tenant's ingestion metrics count."""
    for dialect in DIALECTS:
        with pytest.raises(Dropped, match="TAG_"):
            run_parser(ALERTS.statements, log, RECEIVED, dialect)
