"""A range of minutes on demand, with clear errors for what can never come."""

from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from services.planner.replay import Replayer, ReplayRequest
from shared.asking import BadRangeError
from shared.memory import MemoryBucket, MemoryPublisher
from shared.messages import MinuteRequested
from shared.minutes import format_minute, manifest_name, minutes_between
from tests.doubles import NOON, Clock

AGO = NOON - timedelta(hours=5)


def replay(
    first: datetime,
    last: datetime,
    *,
    feed: str = "domains",
    force: bool = False,
    bucket: MemoryBucket | None = None,
    publisher: MemoryPublisher | None = None,
) -> int:
    """Replay a range and return the number of minutes."""
    replayer = Replayer(
        feeds=["domains"], bucket=bucket or MemoryBucket(), publisher=publisher or MemoryPublisher(), now=Clock()
    )
    return replayer.replay(ReplayRequest(feed=feed, first=first, last=last, force=force))


def test_both_ends_are_included() -> None:
    """A range publishes each minute once, with reason and force as asked."""
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
        (AGO, NOON + timedelta(minutes=1), "domains", "lies in the future"),
        (AGO, AGO, "urls", "feed 'urls' is not switched on; FEEDS has: domains"),
        (NOON - timedelta(days=8), AGO, "domains", "older than the 7 days .* no manifest in bucket 'landing'"),
    ],
)
def test_a_range_that_cannot_come_is_refused(first: datetime, last: datetime, feed: str, reason: str) -> None:
    """The text names the value and the remedy, and nothing is published."""
    publisher = MemoryPublisher()
    with pytest.raises(BadRangeError, match=reason):
        replay(first, last, feed=feed, publisher=publisher)
    assert not publisher.published


def test_an_old_minute_can_be_replayed_from_its_manifest() -> None:
    """Past the source's seven days the bucket is enough."""
    old = NOON - timedelta(days=20)
    bucket = MemoryBucket()
    bucket.create(manifest_name("domains", old), b"{}")
    assert replay(old, old, bucket=bucket) == 1


def test_unknown_fields_are_refused() -> None:
    """A misspelt option is an error, not ignored."""
    with pytest.raises(ValidationError, match="forced"):
        ReplayRequest.model_validate({"feed": "domains", "first": AGO, "last": AGO, "forced": True})
