"""Feeds take turns over several runs, and within one."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.turns import Turns, in_turn
from tests.support.doubles import NOON, Clock

FEEDS = ("domains", "files", "urls")
EVERY = timedelta(minutes=30)
RUN = timedelta(minutes=15)


def test_every_feed_has_its_turn_to_be_first() -> None:
    """In as many runs as there are feeds each is first once, and no run omits one."""
    runs = [in_turn(FEEDS, NOON + run * EVERY, EVERY) for run in range(3)]
    assert sorted(run[0] for run in runs) == sorted(FEEDS)
    assert all(sorted(run) == sorted(FEEDS) for run in runs)
    assert in_turn((), NOON, EVERY) == ()


def test_what_a_feed_does_not_use_goes_to_those_behind_it() -> None:
    """A third of fifteen minutes; two minutes later half of thirteen; then all the remaining time."""
    clock = Clock()
    turns = Turns(FEEDS, now=clock, every=EVERY, run=RUN)
    ends = []
    for feed in turns.names:
        ends.append(turns.until(feed) - NOON)
        clock.advance(minutes=2)
    assert ends == [timedelta(minutes=5), timedelta(minutes=8.5), timedelta(minutes=15)]


@given(used=st.lists(st.floats(0, 2), min_size=3, max_size=3))
def test_no_turn_goes_on_after_the_run(used: list[float]) -> None:
    """A feed may use any part of its time, or exceed it."""
    clock = Clock()
    turns = Turns(FEEDS, now=clock, every=EVERY, run=RUN)
    for feed, part in zip(turns.names, used, strict=True):
        until = turns.until(feed)
        assert until <= max(turns.end, clock())
        clock.time += part * (until - clock())
