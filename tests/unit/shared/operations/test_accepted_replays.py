"""What an operator has asked for is on record before it is published."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.minutes import ONE_MINUTE
from shared.operations.accepted_replays import AcceptedReplays
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket

OLD = NOON - timedelta(days=400)


@given(st.sets(st.integers(0, 60), min_size=1))
def test_every_minute_of_a_replay_is_on_record(numbers: set[int]) -> None:
    """Gaps in it too, and each minute once."""
    replays = AcceptedReplays(MemoryBucket())
    minutes = {OLD + number * ONE_MINUTE for number in numbers}
    replays.accept("domains", minutes, NOON)
    opened = replays.read("domains")
    [replay] = opened.replays.values()
    assert sorted(replay.minutes()) == sorted(minutes)
    assert opened.minutes() == dict.fromkeys(minutes, NOON)
    assert opened.reach(NOON, NOON) == (min(minutes), NOON)


def test_a_later_replay_asks_anew() -> None:
    """A minute of two replays was asked for when the later one was accepted."""
    replays = AcceptedReplays(MemoryBucket())
    for hours in (1, 0, 2):
        replays.accept("domains", [OLD], NOON + timedelta(hours=hours))
    assert replays.read("domains").minutes() == {OLD: NOON + timedelta(hours=2)}
    assert not replays.read("urls").replays


@pytest.mark.parametrize("damage", [b"", b"{}", b'{"ranges":[],"at":"2026-11-21T12:00:00Z"}'])
def test_a_damaged_record_is_named_and_hides_no_other(damage: bytes) -> None:
    """With its object and what to do."""
    bucket = MemoryBucket()
    replays = AcceptedReplays(bucket)
    replays.accept("domains", [OLD], NOON)
    bucket.create("state/replays/domains/x.json", damage)
    opened = replays.read("domains")
    assert list(opened.minutes()) == [OLD]
    assert len(opened.damaged) == 1
    assert "gs://landing/state/replays/domains/x.json cannot be read" in opened.damaged[0]
    assert "delete it and run the replay again" in opened.damaged[0]


def test_nothing_asked_for_is_no_replay() -> None:
    """`replay --gaps` without gaps leaves no record."""
    bucket = MemoryBucket()
    AcceptedReplays(bucket).accept("domains", [], NOON)
    assert not bucket.objects
