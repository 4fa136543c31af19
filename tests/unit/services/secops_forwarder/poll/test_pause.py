"""After a refusal a source is not polled for a while, with one problem in the status until a poll succeeds."""

from contextlib import suppress
from datetime import timedelta

import pytest

from services.secops_forwarder.poll.pause import Paused
from shared.contracts.outcomes import MeshError, TransientError
from shared.operations.feed_conditions import stream_conditions
from shared.virustotal.errors import KeyRefused, NotLicensed, RequestRefused
from tests.support.doubles import NOON
from tests.support.streams import changed
from tests.support.updates import UpdatesHarness


@pytest.fixture
def harness() -> UpdatesHarness:
    """Return a list that pauses for half an hour, with one logged item."""
    harness = UpdatesHarness()
    harness.stream = changed(harness.stream, pause_minutes=30)
    harness.source.add(NOON)
    harness.poll()
    return harness


def refuse(harness: UpdatesHarness, error: MeshError) -> int:
    """Poll for an hour while every request is refused, and return the number of requests."""

    def fail(_: int) -> None:
        raise error

    harness.source.on_ask = fail
    before = len(harness.source.asked)
    for _ in range(12):
        with suppress(type(error)):
            harness.poll()
        harness.now.advance(minutes=5)
    return len(harness.source.asked) - before


@pytest.mark.parametrize(
    "error",
    [
        RequestRefused("400"),
        NotLicensed("403"),
        KeyRefused("401"),
        TransientError("429", error_type="quota_spent"),
    ],
)
def test_a_refused_source_is_asked_twice_an_hour(harness: UpdatesHarness, error: MeshError) -> None:
    """The problem is reported once, since the first refusal; the first success ends it and reads everything."""
    assert refuse(harness, error) == 2
    condition = stream_conditions(harness.bucket).read(harness.stream.name)
    assert condition
    assert (condition.reason, condition.since) == (str(error), NOON)
    harness.source.on_ask = lambda _: None
    harness.source.add(harness.now())
    harness.now.advance(minutes=30)
    harness.poll()
    harness.assert_last_versions_logged_once()
    assert stream_conditions(harness.bucket).read(harness.stream.name) is None


def test_trouble_on_the_way_is_no_refusal(harness: UpdatesHarness) -> None:
    """A transient error causes no pause: the next poll asks again."""
    assert refuse(harness, TransientError("503")) == 12


def test_other_streams_are_not_paused(harness: UpdatesHarness) -> None:
    """A refusal of a list without a lock-out causes no pause."""
    harness.stream = changed(harness.stream, pause_minutes=0)
    assert refuse(harness, NotLicensed("403")) == 12


def test_a_pause_says_until_when(harness: UpdatesHarness) -> None:
    """The problem says when the pause ends; deleting the object ends it at once."""
    refuse(harness, NotLicensed("403"))
    stored = harness.bucket.read("state/streams/pauses/alerts.json")
    assert stored
    assert Paused.model_validate_json(stored.data).until == NOON + timedelta(minutes=60)
