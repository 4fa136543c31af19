"""Minutes are whole, UTC, and bounded by the source."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.minutes import (
    EVERY_MINUTE,
    GRACE,
    HORIZON,
    ONE_HOUR,
    Period,
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
    """Seconds may be omitted or zero, and UTC may be Z or +00:00."""
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
    """Seconds, other time zones, formats and types raise ValueError."""
    with pytest.raises(ValueError, match=r"minute|month"):
        parse_minute(wrong)


@given(st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)))  # noqa: DTZ001
def test_a_minute_survives_being_written(moment: datetime) -> None:
    """Parsing a formatted minute gives the same minute."""
    minute = moment.replace(second=0, microsecond=0, tzinfo=UTC)
    assert parse_minute(format_minute(minute)) == minute


def test_a_range_holds_both_ends() -> None:
    """A range of one minute is that minute; a reversed range is empty."""
    assert list(minutes_between(MINUTE, MINUTE)) == [MINUTE]
    assert len(list(minutes_between(MINUTE, MINUTE + timedelta(hours=1)))) == 61
    assert not list(minutes_between(MINUTE, MINUTE - timedelta(minutes=1)))


def test_the_source_serves_from_an_hour_to_seven_days() -> None:
    """The newest due minute is 61 minutes old; the oldest served one is just younger than seven days."""
    now = MINUTE + timedelta(seconds=59)
    assert last_due(now) == MINUTE - timedelta(minutes=61)
    assert oldest_served(now) == MINUTE - timedelta(days=7) + timedelta(minutes=1)


def test_a_manifest_is_named_after_its_minute() -> None:
    """Names sort by time and are computed from the minute."""
    assert manifest_name("domains", MINUTE) == "domains/2026/11/21/1410.json"


HOURS = Period(ONE_HOUR, timedelta(minutes=120))


@given(
    st.integers(0, 10**9).map(lambda seconds: MINUTE + timedelta(seconds=seconds)),
    st.sampled_from((EVERY_MINUTE, HOURS, Period(ONE_HOUR, timedelta(minutes=61)))),
)
def test_what_is_due_is_served_and_what_is_not_due_may_not_be(now: datetime, period: Period) -> None:
    """The newest due package has been available for at least the grace, and the next one has not."""
    newest, oldest = period.last_due(now), period.oldest_served(now)
    assert newest == period.floor(newest)
    assert newest + period.availability + GRACE <= now < newest + period.length + period.availability + GRACE
    assert timedelta(0) <= now - HORIZON - (oldest - period.length) < period.length
    assert len(list(period.between(oldest, newest))) == period.count(oldest, newest)


@given(
    st.integers(0, 10**9).map(lambda seconds: MINUTE + timedelta(seconds=seconds)),
    st.sampled_from((EVERY_MINUTE, HOURS)),
    st.integers(-3, 3),
)
def test_a_source_has_seven_days_of_packages_or_all_of_them(now: datetime, period: Period, off: int) -> None:
    """The first package that it has is the one that is asked for, or the oldest of seven days."""
    oldest = period.oldest_served(now)
    package = oldest + off * period.length
    assert period.still_has(package, now) is (off >= 0)
    assert period.first_had(package, now) == max(package, oldest)
    keeps_all = replace(period, is_kept=True)
    assert keeps_all.still_has(package, now)
    assert keeps_all.first_had(package, now) == package


def test_an_hour_is_named_by_its_first_minute() -> None:
    """At 14:10 with a lag of two hours the hour of 12:00 is due since 14:01."""
    assert HOURS.floor(MINUTE) == MINUTE.replace(minute=0)
    assert HOURS.last_due(MINUTE) == MINUTE.replace(hour=12, minute=0)
    assert HOURS.last_due(MINUTE.replace(minute=0)) == MINUTE.replace(hour=11, minute=0)
    assert [
        one.hour for one in HOURS.between(MINUTE.replace(hour=10, minute=0), MINUTE.replace(hour=12, minute=0))
    ] == [
        10,
        11,
        12,
    ]
