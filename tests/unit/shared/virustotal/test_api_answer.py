"""The Date of a response."""

from datetime import UTC, datetime

import pytest

from shared.virustotal.api_answer import read_date

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize("written", ["Sat, 21 Nov 2026 12:00:00 GMT", "Sat, 21 Nov 2026 13:00:00 +0100"])
def test_a_date_is_read_in_utc(written: str) -> None:
    """A date is read in UTC, in HTTP's format and in those of some proxies."""
    assert read_date(written) == NOON


@pytest.mark.parametrize(
    "written", [None, "", "0", "now", "Sat, 21 Nov 2026", "Sat, 32 Nov 2026 12:00:00 GMT", "Sat, 21 Nov 2026 12:00:00"]
)
def test_what_is_no_date_is_none(written: str | None) -> None:
    """An invalid date, or one without a time zone, is None, since a proxy may have written it."""
    assert read_date(written) is None
