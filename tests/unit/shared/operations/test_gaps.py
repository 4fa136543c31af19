"""Which minutes of gaps a replay asks for."""

from datetime import UTC, datetime, timedelta

from shared.operations.gaps import Gap, minutes_to_replay

FIRST = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)
NEXT = FIRST + timedelta(minutes=1)


def test_what_nothing_brings_back_is_not_asked_for() -> None:
    """A minute that the source no longer has would only become another dead letter."""
    lost = Gap("domains", FIRST, NEXT, "dead", error_type="minute_expired")
    dead = Gap("domains", NEXT + timedelta(hours=1), NEXT + timedelta(hours=1), "dead", error_type="attempts_spent")
    missing = Gap("domains", FIRST + timedelta(days=1), NEXT + timedelta(days=1), "missing")
    assert minutes_to_replay([lost, dead, missing]) == [
        NEXT + timedelta(hours=1),
        FIRST + timedelta(days=1),
        NEXT + timedelta(days=1),
    ]
