"""A page remembers the keys that the source can return again."""

from datetime import timedelta

from services.secops_forwarder.poll.known_keys import SourcePage, remembered
from tests.support.doubles import NOON

SECOND = timedelta(seconds=1)


def test_keys_from_the_next_begin_on_are_remembered() -> None:
    """A filter has a resolution of seconds, so the whole second of the begin counts."""
    known = {"old": NOON - SECOND, "edge": NOON, "new": NOON + SECOND}
    assert set(remembered(known, NOON + SECOND / 2)) == {"edge", "new"}


def test_keys_behind_the_cursor_are_remembered_whatever_their_date() -> None:
    """The source returns the cursor's page again."""
    page = SourcePage("cursor", frozenset({"old"}))
    known = {"old": NOON - SECOND, "older": NOON - 2 * SECOND}
    assert set(remembered(known, NOON, page.keys_behind("cursor"))) == {"old"}
    assert page.keys_behind("another") == page.keys_behind(None) == frozenset()
