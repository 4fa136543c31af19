"""A replay of a range, with clear errors for minutes that can never arrive."""

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from services.planner.replay import Replayer, ReplayRequest
from shared.contracts.messages import MinuteRequested
from shared.contracts.minute_requests import BadRangeError
from shared.contracts.minutes import format_minute, manifest_name, minutes_between
from shared.contracts.outcomes import Retryable
from shared.feeds.switched_on import NotSwitchedOn
from shared.operations.accepted_replays import AcceptedReplays
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket, MemoryHistory, MemoryPublisher

AGO = NOON - timedelta(hours=5)


def replay(
    first: datetime,
    last: datetime,
    *,
    feed: str = "domains",
    force: bool = False,
    bucket: MemoryBucket | None = None,
    publisher: MemoryPublisher | None = None,
    history_days: int | None = None,
) -> int:
    """Replay a range and return the number of minutes."""
    replayer = Replayer(
        feeds=["domains"],
        bucket=bucket or MemoryBucket(),
        publisher=publisher or MemoryPublisher(),
        history=lambda: MemoryHistory(history_days),
        now=Clock(),
    )
    return replayer.replay(ReplayRequest(feed=feed, first=first, last=last, force=force))


def test_both_ends_are_included() -> None:
    """A range publishes each minute once, with the given reason and force."""
    publisher = MemoryPublisher()
    assert replay(AGO, AGO + timedelta(minutes=4), force=True, publisher=publisher) == 5
    requests = [MinuteRequested.model_validate_json(message.body) for message in publisher.published["feed-minutes"]]
    assert [request.minute for request in requests] == list(minutes_between(AGO, AGO + timedelta(minutes=4)))
    assert {(request.reason, request.force) for request in requests} == {("replay", True)}
    assert publisher.published["feed-minutes"][0].attributes["minute"] == format_minute(AGO)


@pytest.mark.parametrize(
    ("first", "last", "feed", "reason"),
    [
        (AGO, AGO - timedelta(minutes=1), "domains", "ends before it begins"),
        (AGO, NOON - timedelta(minutes=60), "domains", "is not due yet: .* is 2026-11-21T10:59:00Z"),
        (AGO, AGO, "urls", "feed 'urls' is not switched on here; FEEDS has: domains"),
        (NOON - timedelta(days=8), AGO, "domains", "older than the 7 days .* no manifest in bucket 'landing'"),
    ],
)
def test_a_range_that_cannot_come_is_refused(first: datetime, last: datetime, feed: str, reason: str) -> None:
    """The error has the value and the remedy, and nothing is published."""
    publisher = MemoryPublisher()
    with pytest.raises((BadRangeError, NotSwitchedOn), match=reason):
        replay(first, last, feed=feed, publisher=publisher)
    assert not publisher.published


def test_a_replay_is_on_record_before_it_is_published() -> None:
    """If Pub/Sub accepts nothing, the sweep requests the minutes."""
    publisher, bucket = MemoryPublisher(), MemoryBucket()
    publisher.fail_with = Retryable("no Pub/Sub")
    with pytest.raises(Retryable):
        replay(AGO, AGO, publisher=publisher, bucket=bucket)
    assert AcceptedReplays(bucket).read("domains").minutes() == {AGO: NOON}


def test_an_old_minute_can_be_replayed_from_its_manifest() -> None:
    """Past the source's seven days the manifest in the bucket is enough."""
    old = NOON - timedelta(days=20)
    bucket = MemoryBucket()
    bucket.create(manifest_name("domains", old), b"{}")
    assert replay(old, old, bucket=bucket) == 1


def test_old_minutes_are_looked_up_by_the_day() -> None:
    """Thirty days need thirty listings, not 43,200 reads."""
    bucket = MemoryBucket()
    first, last = NOON - timedelta(days=30), NOON - timedelta(days=8)
    for minute in minutes_between(first, last):
        bucket.create(manifest_name("domains", minute), b"{}")
    bucket.read = None  # type: ignore[method-assign, assignment] # a read would fail
    assert replay(first, NOON - timedelta(hours=1) - timedelta(days=8), bucket=bucket) == 22 * 1440 - 59
    bucket.delete(manifest_name("domains", NOON - timedelta(days=20)))
    with pytest.raises(BadRangeError, match=r"1 minutes of domains on 2026-11-01, the first 2026-11-01T12:00:00Z"):
        replay(first, last, bucket=bucket)


@pytest.mark.parametrize(("days", "refused"), [(None, False), (31, False), (30, True), (8, True)])
def test_minutes_that_history_would_drop_are_refused(days: int | None, refused: bool) -> None:
    """Their rows would expire as they are inserted, and the ledger would have them as merged."""
    old = NOON - timedelta(days=30)
    bucket, publisher = MemoryBucket(), MemoryPublisher()
    bucket.create(manifest_name("domains", old), b"{}")
    if refused:
        with pytest.raises(BadRangeError, match=rf"keeps a day for {days} days.*HISTORY_EXPIRY_DAYS"):
            replay(old, old, bucket=bucket, publisher=publisher, history_days=days)
        assert not publisher.published
    else:
        assert replay(old, old, bucket=bucket, publisher=publisher, history_days=days) == 1


def test_what_the_source_still_has_needs_no_look_at_history() -> None:
    """History keeps at least eight days, so a normal replay needs no BigQuery."""
    replayer = Replayer(
        feeds=["domains"],
        bucket=MemoryBucket(),
        publisher=MemoryPublisher(),
        history=lambda: pytest.fail("asked"),
        now=Clock(),
    )
    week = ReplayRequest(feed="domains", first=NOON - timedelta(days=6, hours=23), last=AGO)
    assert replayer.replay(week) == int((AGO - week.first) / timedelta(minutes=1)) + 1


def test_unknown_fields_are_refused() -> None:
    """A misspelt option is an error, not ignored."""
    with pytest.raises(ValidationError, match="forced"):
        ReplayRequest.model_validate({"feed": "domains", "first": AGO, "last": AGO, "forced": True})
