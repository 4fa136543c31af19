"""The lock that one command at a time holds to handle dead letters."""

from datetime import timedelta

import pytest

from shared.contracts.outcomes import Misconfigured
from shared.operations.dead_letter_lock import HELD, LOCK, DeadLetterLock, LettersLocked
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket


def test_a_released_lock_is_free_at_once() -> None:
    """The lock is released at the end of the block, also after an error."""
    bucket, clock = MemoryBucket(), Clock()
    with pytest.raises(ZeroDivisionError), DeadLetterLock(bucket, clock):
        _ = 1 / 0
    with DeadLetterLock(bucket, clock):
        pass


def test_a_command_that_died_keeps_the_lock_for_a_while() -> None:
    """For longer than Pub/Sub keeps its letters from others; the text says until when."""
    bucket, clock = MemoryBucket(), Clock()
    DeadLetterLock(bucket, clock).__enter__()
    clock.time += HELD - timedelta(seconds=1)
    with pytest.raises(
        LettersLocked, match=r"process \d+ on .*; try again when it has ended, at the latest at 12:02:00Z"
    ):
        DeadLetterLock(bucket, clock).__enter__()
    clock.advance(seconds=1)
    with DeadLetterLock(bucket, clock):
        pass


def test_a_command_waits_for_a_brief_holder() -> None:
    """The planner's run takes seconds: a command begins when it has ended, or has died."""
    bucket, clock = MemoryBucket(), Clock()
    planner = DeadLetterLock(bucket, clock, "the planner", brief=True)
    planner.__enter__()

    def end_after_three(seconds: float) -> None:
        clock.pause(seconds)
        if clock() == NOON + timedelta(seconds=3):
            planner.__exit__()

    with DeadLetterLock(bucket, clock, pause=end_after_three):
        assert clock() == NOON + timedelta(seconds=3)
    DeadLetterLock(bucket, clock, "the planner", brief=True).__enter__()
    with DeadLetterLock(bucket, clock, pause=clock.pause):
        assert clock() == NOON + timedelta(seconds=3) + HELD


def test_a_brief_holder_waits_for_nobody() -> None:
    """The next run comes in an hour."""
    bucket, clock = MemoryBucket(), Clock()
    for first in (DeadLetterLock(bucket, clock, brief=True), DeadLetterLock(bucket, clock)):
        with first, pytest.raises(LettersLocked):
            DeadLetterLock(bucket, clock, brief=True, pause=clock.pause).__enter__()
    assert clock() == NOON


def test_a_command_that_renews_keeps_the_lock() -> None:
    """A renewal counts from its own time; a command that lost the lock gets an error and leaves it to the other."""
    bucket, clock = MemoryBucket(), Clock()
    slow = DeadLetterLock(bucket, clock)
    with slow:
        clock.time += HELD - timedelta(seconds=1)
        slow.renew()
        clock.time += HELD
        with DeadLetterLock(bucket, clock):
            with pytest.raises(LettersLocked):
                slow.renew()
            slow.__exit__()
            with pytest.raises(LettersLocked):
                DeadLetterLock(bucket, clock).__enter__()


def test_of_two_commands_at_the_same_moment_one_goes_on() -> None:
    """The object is replaced only at the generation that was read."""
    bucket, clock = MemoryBucket(), Clock()

    def other() -> None:
        bucket.at_write = lambda: None
        DeadLetterLock(bucket, clock).__enter__()

    bucket.at_write = other
    with pytest.raises(LettersLocked, match="another command has just started"):
        DeadLetterLock(bucket, clock).__enter__()


def test_an_object_that_cannot_be_read_is_named() -> None:
    """With what to do about it."""
    bucket = MemoryBucket()
    bucket.create(LOCK, b"x")
    with pytest.raises(Misconfigured, match=rf"gs://landing/{LOCK} cannot be read .*delete it"):
        DeadLetterLock(bucket, Clock()).__enter__()
