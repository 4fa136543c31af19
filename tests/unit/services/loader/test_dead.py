"""Every dead letter gets a row in the ledger."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loader.dead import DeadLetters, dead_row
from shared.contracts.dead_letters import dead_letter
from shared.contracts.interfaces import LedgerRow
from shared.contracts.messages import MinuteRequested
from shared.contracts.outcomes import Poison
from shared.contracts.push_envelope import Delivery, read_delivery
from shared.feeds.definition import find_feed
from tests.support.doubles import NOON, Clock
from tests.support.landed import land
from tests.support.memory import MemoryBucket, MemoryLedger

MINUTE = NOON - timedelta(minutes=70)
BODY = json.dumps({"feed": "domains", "minute": "2026-11-21T10:50:00Z"}).encode()
SPENT = {
    "CloudPubSubDeadLetterSourceSubscription": "downloader",
    "CloudPubSubDeadLetterSourceDeliveryCount": "100",
}


def pushed(data: bytes = BODY, publish_time: str = "", /, **attributes: str) -> Delivery:
    """Return a message as Pub/Sub pushes it."""
    message = {
        "data": base64.b64encode(data).decode(),
        "attributes": attributes,
        "messageId": "17",
        "publishTime": publish_time,
    }
    return read_delivery(
        json.dumps({"message": message, "subscription": "projects/p/subscriptions/downloader"}).encode()
    )


def test_a_poisoned_message_is_told_with_its_reason() -> None:
    """A service's dead letter has reason, subscription, attempts and the id of the original message."""
    request = MinuteRequested(feed="domains", minute=MINUTE)
    poison = Poison("source_changed", "other content")
    outgoing = dead_letter(request.topic, pushed(request.body, **request.attributes), poison)
    again = pushed(outgoing.body, "", **outgoing.attributes).message.model_copy(update={"message_id": "99"})
    assert dead_row(again, NOON) == LedgerRow(
        "dead",
        NOON,
        "domains",
        MINUTE,
        reason="other content",
        source="downloader",
        attempts=1,
        message_id="17",
        error_type="source_changed",
    )


def test_a_message_that_pubsub_gave_up_is_told_with_its_attempts() -> None:
    """Pub/Sub sets no error type; it gives messages up for only one reason."""
    row = dead_row(pushed(**SPENT).message, NOON)
    assert row.reason == "attempts spent: 100 deliveries by downloader"
    assert row.error_type == "attempts_spent"
    assert (row.feed, row.minute, row.source, row.attempts) == ("domains", MINUTE, "downloader", 100)


@pytest.mark.parametrize(
    "given",
    [{"error_type": "invalid_message", "reason": "x"}, {"reason": "the message cannot be read: minute: missing"}],
)
def test_a_message_that_cannot_be_read_marks_no_minute_dead(given: dict[str, str]) -> None:
    """The minute in the message may be merged, or missing and still to be requested; also for the first release."""
    row = dead_row(pushed(BODY, "", feed="domains", minute="2026-11-21T10:50:00Z", **given).message, NOON)
    assert (row.feed, row.minute, row.error_type) == ("domains", None, "invalid_message")


@pytest.mark.parametrize("attributes", [{"error_type": "object_missing", "reason": "gone"}, {}])
@pytest.mark.parametrize("prefix", ["", "eu-"])
def test_a_letter_about_secops_leaves_the_minute_as_bigquery_has_it(prefix: str, attributes: dict[str, str]) -> None:
    """The hour has landed for the loader, whatever SecOps lacks; the letter names the landing by its address."""
    landed = land(MemoryBucket(), find_feed("threat_lists"), MINUTE.replace(minute=0), [])
    given = {"CloudPubSubDeadLetterSourceSubscription": f"{prefix}secops-landings", **attributes}
    row = dead_row(pushed(landed.body, "", **landed.attributes, **given).message, NOON)
    assert (row.feed, row.minute, row.uri) == ("threat_lists", None, landed.uri)
    loaders = dead_row(pushed(landed.body, "", **landed.attributes, **SPENT).message, NOON)
    assert loaders.minute == landed.minute


def test_a_letter_about_a_page_of_a_stream_names_it() -> None:
    """The address in the body names the page; feed minutes have none; an invalid address is left out."""
    page = "gs://landing/streams/ioc_stream/pages/0000000002.json"
    assert dead_row(pushed(json.dumps({"stream": "ioc_stream", "uri": page}).encode()).message, NOON).uri == page
    for strange in (17, "x" * 5000, None):
        assert dead_row(pushed(json.dumps({"uri": strange}).encode()).message, NOON).uri is None


def test_attributes_tell_what_the_body_does_not() -> None:
    """Feed and minute are in the attributes and in the body."""
    row = dead_row(pushed(b"not json", feed="domains", minute="2026-11-21T10:50:00Z").message, NOON)
    assert (row.feed, row.minute) == ("domains", MINUTE)


@pytest.mark.parametrize(
    ("body", "feed", "minute"),
    [
        (b"", None, None),
        (b"\xff\x00", None, None),
        (b"[1]", None, None),
        (b'{"feed":"No Such","minute":"2026-11-21T10:50:00Z"}', None, MINUTE),
        (b'{"feed":"urls","minute":"2026-11-21T10:50:30Z"}', "urls", None),
        (b'{"feed":7,"minute":7}', None, None),
        (b'{"feed":"domains","minute":"0001-01-01T00:00:00Z"}', "domains", None),
        (b'{"feed":"domains","minute":"9999-12-31T23:59:00Z"}', "domains", None),
    ],
)
def test_what_cannot_be_read_stays_empty(body: bytes, feed: str | None, minute: datetime | None) -> None:
    """This includes minutes outside the ledger's partitions, whose rows would be refused for ever."""
    row = dead_row(pushed(body).message, NOON)
    assert (row.event, row.feed, row.minute) == ("dead", feed, minute)


def test_it_died_when_it_was_published_to_the_dead_letter_topic() -> None:
    """The time is that of publishing, so that a later landing is newer."""
    died = "2026-11-21T11:00:00.123456789Z"
    assert dead_row(pushed(BODY, died).message, NOON).at == datetime(2026, 11, 21, 11, 0, 0, 123456, UTC)
    assert dead_row(pushed(BODY, "yesterday").message, NOON).at == NOON


@given(
    data=st.binary()
    | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()),
    attributes=st.dictionaries(
        st.sampled_from(["feed", "minute", "reason", *SPENT, "source_message_id"]), st.text(), max_size=6
    ),
    publish_time=st.text(),
)
def test_nothing_in_a_message_makes_it_fail(data: bytes, attributes: dict[str, str], publish_time: str) -> None:
    """A dead letter cannot be dead-lettered again."""
    ledger = MemoryLedger()
    DeadLetters(ledger=ledger, now=Clock()).record(pushed(data, publish_time, **attributes))
    (row,) = ledger.rows
    assert row.event == "dead"
    assert row.reason
