"""The planner as functions-framework serves it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask.testing import FlaskClient

from infra.endpoints import Endpoints
from shared.contracts.minutes import format_minute, last_due
from shared.gcp.storage import StorageBucket, storage_client
from tests.wire.conftest import TRACEPARENT, Open, Pull


@pytest.fixture
def service(wired: Endpoints, open_service: Open, monkeypatch: pytest.MonkeyPatch) -> Iterator[FlaskClient]:
    """Return the planner's client for a feed that was never planned, with an empty ledger."""
    from shared.feeds.definition import known_feeds
    from shared.gcp.bigquery import bigquery_client, run_query
    from shared.runtime.settings import MeshSettings, read_settings
    from shared.warehouse.provision import provision

    monkeypatch.setenv("BQ_DATASET", "planner_wire")
    monkeypatch.setenv("PLAN_BACK", "5")
    settings = read_settings(MeshSettings)
    storage = storage_client(wired.project, wired.storage)
    bucket = StorageBucket(wired.bucket, storage)
    _clear_state(bucket)
    warehouse = bigquery_client(settings)
    provision(
        warehouse=warehouse,
        storage=storage,
        bucket=wired.bucket,
        dataset=settings.dataset,
        feeds=[known_feeds()["domains"]],
    )
    # Without a state the planner begins at the ledger's first minute.
    run_query(warehouse, f"DELETE FROM {settings.dataset}.minutes WHERE TRUE")  # noqa: S608
    yield open_service("planner", "plan")
    _clear_state(bucket)


def _clear_state(bucket: StorageBucket) -> None:
    """Delete plans and accepted replays: the bucket is shared by the tests of a process."""
    for stored in bucket.listed("state/", ""):
        bucket.delete(stored.name)


def test_a_tick_publishes_what_is_due(service: FlaskClient, pull: Pull) -> None:
    """The response says what was published; a second tick in the same minute has nothing to do."""
    before = last_due(datetime.now(UTC))
    answer = service.post("/", json={})
    assert answer.status_code == 200
    assert answer.get_json()["domains"]["published"] == 5
    minutes = [message["body"]["minute"] for message in pull("feed-minutes")]
    assert len(minutes) == 5
    assert format_minute(before) in minutes


def test_requests_carry_the_trace_of_the_call(service: FlaskClient, pull: Pull) -> None:
    """Every minute of one tick has the tick's trace; without one, the planner starts one."""
    service.post("/", json={}, headers={"traceparent": TRACEPARENT})
    assert {message["attributes"]["traceparent"] for message in pull("feed-minutes")} == {TRACEPARENT}
    now = format_minute(last_due(datetime.now(UTC)))
    service.post("/replay", json={"feed": "domains", "first": now, "last": now})
    [message] = pull("feed-minutes")
    assert message["attributes"]["traceparent"].startswith("00-")


def test_a_sweep_after_a_tick_finds_nothing_yet(service: FlaskClient, pull: Pull) -> None:
    """A minute that was just requested is in progress, not missing."""
    service.post("/", json={})
    answer = service.post("/sweep", json={})
    assert answer.status_code == 200
    assert answer.get_json()["domains"]["asked"] == 0
    assert len(pull("feed-minutes")) == 5


def test_a_range_is_replayed(service: FlaskClient, pull: Pull) -> None:
    """Both ends are included, and the requests contain the cause."""
    first = last_due(datetime.now(UTC)) - timedelta(hours=2)
    body = {"feed": "domains", "first": format_minute(first), "last": format_minute(first + timedelta(minutes=2))}
    answer = service.post("/replay", json=body)
    assert (answer.status_code, answer.get_json()) == (200, {"published": 3})
    assert [message["body"]["reason"] for message in pull("feed-minutes")] == ["replay"] * 3


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "feed: missing"),
        ({"feed": "domains", "first": "2026-11-21T14:10:30Z", "last": "2026-11-21T14:10Z"}, "whole UTC minute"),
        ({"feed": "nope", "first": "2026-11-21T14:10Z", "last": "2026-11-21T14:10Z"}, "FEEDS has: domains"),
        ({"feed": "domains", "first": "2020-01-01T00:01Z", "last": "2020-01-01T00:00Z"}, "ends before it begins"),
        ({"feed": "domains", "first": "2020-01-01T00:00Z", "last": "2020-01-01T00:00Z"}, "no manifest in bucket"),
        ({"feed": "domains", "first": "2020-01-01T00:00Z", "last": "2099-01-01T00:00Z"}, "is not due yet"),
    ],
)
def test_a_range_that_cannot_come_is_refused(service: FlaskClient, pull: Pull, body: object, reason: str) -> None:
    """An invalid range gets 400 with the reason, and nothing is published."""
    answer = service.post("/replay", json=body)
    assert answer.status_code == 400
    assert reason in answer.get_json()["error"]
    assert not pull("feed-minutes")


def test_a_run_without_dead_letters_has_nothing_to_take_out(service: FlaskClient) -> None:
    """Reading Pub/Sub and the ledger, on emulators, with no subscription of dead letters at all."""
    answer = service.post("/dead-letters", json={})
    assert answer.status_code == 200
    assert answer.get_json() == {"dead-letters": {"discarded": 0, "closed": 0, "complete": True}}


def test_another_path_is_named(service: FlaskClient) -> None:
    """An unknown path gets a 404 that names the existing ones."""
    answer = service.post("/plan", json={})
    assert answer.status_code == 404
    assert "/sweep" in answer.get_json()["error"]


def test_a_missing_dataset_is_a_clear_failure(
    service: FlaskClient, open_service: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a dataset the response is a 500 with what to run, so that the schedule shows an error."""
    service.post("/", json={})
    monkeypatch.setenv("BQ_DATASET", "never_made")
    answer = open_service("planner", "plan").post("/sweep", json={})
    assert answer.status_code == 500
    assert "gti-mesh provision" in answer.get_json()["domains"]["error"]
