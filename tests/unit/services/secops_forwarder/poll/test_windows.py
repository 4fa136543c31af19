"""Windows of a date: right whether the source includes their bounds or not, and divisible down to a second."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.secops_forwarder.poll.windows import Window, window_from
from tests.support.doubles import NOON

SECOND = timedelta(seconds=1)


def test_a_window_is_written_with_the_instant_before_it() -> None:
    """So its begin belongs to it in any case."""
    terms = Window(NOON, NOON + SECOND).terms("last_seen")
    assert terms == "last_seen_after:2026-11-21T11:59:59.999Z last_seen_before:2026-11-21T12:00:01.000Z"
    assert Window(NOON).terms("last_seen") == "last_seen_after:2026-11-21T11:59:59.999Z"


def test_a_window_has_whole_seconds() -> None:
    """It has everything from its begin on, and from before its end."""
    assert window_from(NOON + SECOND / 2, NOON + SECOND / 3) == Window(NOON, NOON + SECOND)


@given(seconds=st.integers(2, 10_000_000), end=st.booleans())
def test_halves_are_the_whole(seconds: int, end: bool) -> None:
    """Without a gap, and each of at least a second."""
    now = NOON + seconds * SECOND
    halves = Window(NOON, now if end else None).halves(now)
    assert halves
    first, second = halves
    assert (first.begin, first.end, second.end) == (NOON, second.begin, now if end else None)
    assert NOON + SECOND <= second.begin <= now - (SECOND if end else timedelta())


@pytest.mark.parametrize(
    ("window", "now"),
    [
        (Window(NOON, NOON + SECOND), NOON + 60 * SECOND),
        (Window(NOON), NOON),
        (Window(NOON + 60 * SECOND), NOON),
    ],
)
def test_a_second_and_the_future_are_not_divided(window: Window, now: datetime) -> None:
    """Halving would never end."""
    assert window.halves(now) is None


def test_a_window_is_cut_only_within() -> None:
    """A cut that is not within changes nothing."""
    window = Window(NOON, NOON + 9 * SECOND)
    assert window.parts(NOON + SECOND) == [Window(NOON, NOON + SECOND), Window(NOON + SECOND, NOON + 9 * SECOND)]
    for cut in (None, NOON, NOON - SECOND, NOON + 9 * SECOND):
        assert window.parts(cut) == [window]
