"""Minutes are whole, UTC, and bounded by the source."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.minutes import (
    format_minute,
    last_due,
    manifest_name,
    minutes_between,
    oldest_served,
    parse_minute,
)

MINUTE = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "written", ["2026-11-21T14:10:00Z", "2026-11-21T14:10Z", "2026-11-21T14:10:00+00:00", "2026-11-21T14:10:00.000Z"]
)
def test_every_written_form_of_a_whole_minute_is_read(written: str) -> None:
    """Seconds may be left out or be zero, and UTC may be Z or +00:00."""
    assert parse_minute(written) == MINUTE


@pytest.mark.parametrize(
    "wrong",
    [
        "2026-11-21T14:10:30Z",
        "2026-11-21T14:10",
        "2026-11-21 14:10Z",
        "2026-11-21T15:10:00+01:00",
        "2026-13-21T14:10Z",
        "202611211410",
        "",
        1763734200,
        None,
        datetime(2026, 11, 21, 14, 10),  # noqa: DTZ001
        datetime(2026, 11, 21, 14, 10, 1, tzinfo=UTC),
        datetime(2026, 11, 21, 15, 10, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_anything_but_a_whole_utc_minute_is_refused(wrong: object) -> None:
    """Seconds, other zones, other forms and other types raise ValueError."""
    with pytest.raises(ValueError, match=r"minute|month"):
        parse_minute(wrong)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_a_minute_survives_being_written(moment: datetime) -> None:
    """Parsing what was formatted gives the same minute."""
    minute = moment.replace(second=0, microsecond=0, tzinfo=UTC)
    assert parse_minute(format_minute(minute)) == minute


def test_a_range_holds_both_ends() -> None:
    """The range from a minute to itself is that minute; a reversed one is empty."""
    assert list(minutes_between(MINUTE, MINUTE)) == [MINUTE]
    assert len(list(minutes_between(MINUTE, MINUTE + timedelta(hours=1)))) == 61
    assert not list(minutes_between(MINUTE, MINUTE - timedelta(minutes=1)))


def test_the_source_serves_from_an_hour_to_seven_days() -> None:
    """The newest due minute is 61 minutes old; the oldest served one is just younger than seven days."""
    now = MINUTE + timedelta(seconds=59)
    assert last_due(now) == MINUTE - timedelta(minutes=61)
    assert oldest_served(now) == MINUTE - timedelta(days=7) + timedelta(minutes=1)


def test_a_manifest_is_named_after_its_minute() -> None:
    """The name sorts by time and needs no look-up."""
    assert manifest_name("domains", MINUTE) == "domains/2026/11/21/1410.json"
