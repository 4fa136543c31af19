"""What is kept of a handled dead letter: named after its time, its id, which anybody may choose, and its content."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.operations.dead_letter_archive import closed_name, handled_letters, handled_name
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket

AT = datetime(2026, 11, 21, 14, 10, 30, 123000, tzinfo=UTC)


def test_a_name_has_the_time_the_id_and_the_content() -> None:
    """As Pub/Sub numbers messages; an emulator counts from 1 again, and another letter has another name."""
    name = handled_name("feed-minutes", "17251234", AT, b"{}")
    assert name == "dead/2026-11-21/feed-minutes-dead/17251234-141030123-44136fa355b3.json"
    assert name != handled_name("feed-minutes", "17251234", AT, b"[]")
    assert name != handled_name("feed-minutes", "17251234", AT + timedelta(milliseconds=1), b"{}")


@pytest.mark.parametrize(
    "letter", ["../../state/planner/domains", "a/b", "", ".", "..", "x" * 2000, "ä", "-rf", "a\nb"]
)
def test_an_id_leads_nowhere_else(letter: str) -> None:
    """Whatever an id holds, its object lies in the folder of its topic, under a name that any file system takes."""
    folder, _, name = handled_name("feed-minutes", letter, AT, b"").rpartition("/")
    assert folder == "dead/2026-11-21/feed-minutes-dead"
    assert name.startswith("sha256-")
    assert len(name) < 120
    assert handled_name("feed-minutes", letter, AT, b"") != handled_name("feed-minutes", f"{letter}x", AT, b"")


@pytest.mark.parametrize("letter", ["17", "a-b-3", "a/b", "-rf"])
def test_a_handled_letter_is_known_by_its_id_and_its_time(letter: str) -> None:
    """Redriven, discarded or closed; a later letter of the same id is still open."""
    bucket = MemoryBucket()
    bucket.create(handled_name("feed-minutes", letter, AT, b"x"), b"{}")
    bucket.create(closed_name(letter, AT + timedelta(hours=1)), b"{}")
    found = handled_letters(bucket, AT - timedelta(days=31))
    assert found.holds(letter, AT)
    assert found.holds(letter, AT + timedelta(hours=1))
    assert not found.holds(letter, AT + timedelta(hours=2))
    assert not found.holds(f"{letter}1", AT)


def test_only_the_days_asked_for_are_listed() -> None:
    """What was handled a year ago costs nothing."""
    bucket = MemoryBucket()
    for day in range(5):
        bucket.create(handled_name("feed-minutes", "1", AT + timedelta(days=day), b""), b"{}")
    assert len(handled_letters(bucket, AT + timedelta(days=3)).keys) == 2


def test_what_the_first_release_handled_stays_handled() -> None:
    """Its names have the id alone: every letter of that id from before the object was handled."""
    bucket = MemoryBucket(now=lambda: NOON)
    bucket.create("dead/feed-minutes-dead/17.json", b"{}")
    found = handled_letters(bucket, NOON - timedelta(days=31))
    assert found.holds("17", NOON - timedelta(minutes=5))
    assert not found.holds("17", NOON + timedelta(minutes=5))
    assert not found.holds("18", NOON - timedelta(minutes=5))
