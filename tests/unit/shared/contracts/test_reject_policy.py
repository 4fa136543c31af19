"""The number of lines of a package that may be bad."""

import pytest

from shared.contracts.reject_policy import rejects_allowed


@pytest.mark.parametrize(("lines", "allowed"), [(1, 1), (19, 19), (20, 2), (1000, 100)])
def test_a_tenth_of_a_package_may_be_bad_and_any_line_of_a_small_one(lines: int, allowed: int) -> None:
    """With more bad lines the source has changed its format."""
    assert rejects_allowed(lines) == allowed
