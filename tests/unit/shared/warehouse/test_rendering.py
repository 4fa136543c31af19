"""Templates fail for missing values."""

import pytest
from jinja2 import UndefinedError

from shared.feeds.definition import find_feed
from shared.warehouse.rendering import render


def test_a_missing_value_is_an_error() -> None:
    """A table name with a missing part would be another table."""
    with pytest.raises(UndefinedError, match="dataset"):
        render("shared.warehouse/minute_states.sql")


@pytest.mark.parametrize(
    "file",
    [
        "shared.warehouse/minute_states.sql",
        "shared.operations/coverage.sql",
        "shared.operations/accounts_minutes.sql",
        "shared.operations/open_dead_letters.sql",
    ],
)
def test_what_reads_the_ledger_limits_it_below_the_windows(file: str) -> None:
    """BigQuery does not promise to move a condition below a window or a join, so the condition must be there."""
    sql = render(file, dataset="p.d", feed=find_feed("domains"))
    assert "minute_status" not in sql
    looks = sql.split("FROM `p.d.minutes`")[1:]
    assert looks
    for look in looks:
        condition = look.partition("\n)")[0].partition("\n  UNION")[0].strip()
        assert condition.startswith("WHERE ")
        assert "minute >= @" in condition or "minute IS NULL" in condition
        assert " OR " not in condition
