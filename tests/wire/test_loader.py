"""The loader as functions-framework serves it."""

from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from shared.contracts.interfaces import LedgerRow
from shared.contracts.messages import MinuteAbsent
from shared.contracts.minutes import floor_minute, format_minute
from tests.support.landed import domain
from tests.support.warehouse import Warehouse
from tests.wire.conftest import Open, Pull, envelope

MINUTE = floor_minute(datetime.now(UTC) - timedelta(minutes=70))


@pytest.fixture
def load(warehouse: Warehouse, open_service: Open) -> FlaskClient:
    """Return the client of the loader's first entry point."""
    del warehouse
    return open_service("loader", "load")


@pytest.fixture
def dead(warehouse: Warehouse, open_service: Open) -> FlaskClient:
    """Return the client of the loader's second entry point."""
    del warehouse
    return open_service("loader", "dead")


def states(warehouse: Warehouse) -> list[tuple[object, ...]]:
    """Return each minute's state and accounts."""
    return warehouse.read("minute_status", "state, lines, rejected")


def test_a_landed_minute_is_loaded(load: FlaskClient, warehouse: Warehouse) -> None:
    """The push is acked, the lines are in staging and the state in the ledger; a second delivery changes no account."""
    landed = warehouse.land(MINUTE, domain("a"), None, domain("b"))
    for attempt in (1, 2):
        answer = load.post("/", json=envelope(landed.model_dump(mode="json"), attempt, **landed.attributes))
        assert (answer.status_code, answer.data) == (204, b"")
    assert {row[0] for row in warehouse.read("domains_staging", "id")} == {"a", "b"}
    assert states(warehouse) == [("loaded", 3, 1)]
    assert warehouse.merge().minutes == 1
    assert warehouse.read("domains_history", "id, feed_line") == [("a", 1), ("b", 3)]


def test_an_empty_minute_is_merged_at_once(load: FlaskClient, warehouse: Warehouse) -> None:
    """An empty minute counts as merged at once: there is nothing to load or merge."""
    landed = warehouse.land(MINUTE)
    assert load.post("/", json=envelope(landed.model_dump(mode="json"))).status_code == 204
    assert states(warehouse) == [("merged", 0, 0)]


def test_an_absent_minute_is_recorded(load: FlaskClient, warehouse: Warehouse) -> None:
    """An absent minute is recorded and acked."""
    absent = MinuteAbsent(feed="domains", minute=MINUTE, checked_at=datetime.now(UTC))
    assert load.post("/", json=envelope(absent.model_dump(mode="json"))).status_code == 204
    assert states(warehouse) == [("absent", None, None)]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"{", "the message cannot be read"),
        (b"", "the message has no body"),
        ({"event": "landed"}, "feed: missing"),
        (
            {"event": "absent", "feed": "nope", "minute": "2026-11-21T10:50Z", "checked_at": "2026-11-21T12:00:00Z"},
            "nope",
        ),
        (
            {
                "event": "absent",
                "feed": "domains",
                "minute": "2026-11-21T10:50:30Z",
                "checked_at": "2026-11-21T12:00:00Z",
            },
            "whole UTC minute",
        ),
    ],
)
def test_a_bad_message_is_dead_lettered_with_its_reason(
    load: FlaskClient, pull: Pull, body: object, reason: str
) -> None:
    """A malformed message becomes a dead letter with its reason and is acked, since no retry can fix it."""
    assert load.post("/", json=envelope(body)).status_code == 204
    (letter,) = pull("minutes-landed-dead")
    assert reason in letter["attributes"]["reason"]


def test_a_feed_that_is_only_off_here_is_acked(load: FlaskClient, warehouse: Warehouse, pull: Pull) -> None:
    """For a feed that is not switched on here the push is acked, and nothing is recorded."""
    absent = MinuteAbsent(feed="urls", minute=MINUTE, checked_at=datetime.now(UTC))
    assert load.post("/", json=envelope(absent.model_dump(mode="json"))).status_code == 204
    assert not pull("minutes-landed-dead")
    assert not states(warehouse)


def test_a_landing_that_is_gone_is_dead_lettered(load: FlaskClient, warehouse: Warehouse, pull: Pull) -> None:
    """A landing whose object is gone becomes a dead letter; its manifest may still exist, and only a replay helps."""
    landed = warehouse.land(MINUTE, domain("a"))
    warehouse.bucket.delete(warehouse.bucket.name_of(landed.uri))
    assert load.post("/", json=envelope(landed.model_dump(mode="json"))).status_code == 204
    (letter,) = pull("minutes-landed-dead")
    assert "does not exist any more" in letter["attributes"]["reason"]
    assert letter["body"] == landed.model_dump(mode="json")


def test_without_its_tables_it_nacks(
    warehouse: Warehouse, open_service: Open, monkeypatch: pytest.MonkeyPatch, pull: Pull
) -> None:
    """Without tables the push is nacked: an operator has to act, and nothing may be lost until then."""
    landed = warehouse.land(MINUTE, domain("a"))
    monkeypatch.setenv("BQ_DATASET", "no_such_dataset")
    answer = open_service("loader", "load").post("/", json=envelope(landed.model_dump(mode="json")))
    assert answer.status_code == 500
    assert not pull("minutes-landed-dead")


def test_what_is_no_push_is_refused(load: FlaskClient, dead: FlaskClient) -> None:
    """A body that is not a push gets an error: there is no message to record."""
    for client in (load, dead):
        assert client.post("/", json={"hello": 1}).status_code == 400


def test_dead_letters_are_recorded_whatever_they_are(dead: FlaskClient, warehouse: Warehouse, pull: Pull) -> None:
    """A dead letter is recorded with a service's reason, with Pub/Sub's count, or with only an id, and acked."""
    spent = {
        "CloudPubSubDeadLetterSourceSubscription": "downloader",
        "CloudPubSubDeadLetterSourceDeliveryCount": "5",
    }
    request = {"feed": "domains", "minute": format_minute(MINUTE)}
    for push in (envelope(request, reason="no licence"), envelope(request, 1, **spent), envelope(b"\xff{")):
        assert dead.post("/", json=push).status_code == 204
    rows = [LedgerRow(**row) for row in warehouse.run(f"SELECT * FROM {warehouse.dataset}.minutes")]  # noqa: S608
    assert {(row.feed, row.minute, row.reason, row.attempts, row.message_id) for row in rows} == {
        ("domains", MINUTE, "no licence", None, "4711"),
        ("domains", MINUTE, "attempts spent: 5 deliveries by downloader", 5, "4711"),
        (None, None, "attempts spent: an unknown number of deliveries by an unknown subscription", None, "4711"),
    }
    assert not pull("minutes-landed-dead")
    assert [row[0] for row in states(warehouse)] == ["dead"]
