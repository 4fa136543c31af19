"""A landing that the ledger knows and the bucket does not have is a mismatch that a replay repairs, if it can."""

from datetime import date, timedelta

import pytest

from shared.operations.accounts import MinuteAccount
from shared.operations.landed_objects import LandedMinutes, compare_landed
from tests.support.doubles import NOON


@pytest.mark.parametrize(
    ("feed", "days", "first_day", "remedy"),
    [
        ("domains", 1, None, "gti-mesh replay"),
        ("domains", 30, date(2026, 10, 1), "none: "),
        ("domains", 30, None, None),
        ("ioc_stream", 1, None, "gti-mesh replay"),
        ("ioc_stream", 30, date(2026, 10, 1), "gti-mesh replay"),
        ("ioc_stream", 30, date(2026, 11, 1), None),
    ],
)
def test_a_landing_that_is_gone_is_fetched_again_if_the_source_has_it(
    feed: str, days: int, first_day: date | None, remedy: str | None
) -> None:
    """What is older than everything in the bucket has left it by its lifecycle, and is no mismatch."""
    minute = NOON - timedelta(days=days)
    account = MinuteAccount(minute, "merged", minute, lines=0, uri="gs://landing/x")
    found = list(compare_landed(feed, {minute: account}, LandedMinutes({}, first_day), NOON))
    assert [one.remedy.startswith(remedy or "no finding") for one in found] == ([True] if remedy else [])
    assert all("--replace" not in one.remedy for one in found), "there are no rows to take away"
