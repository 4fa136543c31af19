"""How many lines BigQuery may refuse, and where a minute's object may lie."""

import pytest

from services.loader.rejects import bad_records_allowed


@pytest.mark.parametrize(("lines", "allowed"), [(1, 1), (19, 19), (20, 2), (1000, 100)])
def test_a_tenth_of_a_package_may_be_bad_and_any_line_of_a_small_one(lines: int, allowed: int) -> None:
    """As the downloader has it."""
    assert bad_records_allowed(lines) == allowed
