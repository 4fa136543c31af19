"""How many lines of a package may be bad."""

import pytest

from shared.rejecting import rejects_allowed


@pytest.mark.parametrize(("lines", "allowed"), [(1, 1), (19, 19), (20, 2), (1000, 100)])
def test_a_tenth_of_a_package_may_be_bad_and_any_line_of_a_small_one(lines: int, allowed: int) -> None:
    """Beyond that the source has changed its shape."""
    assert rejects_allowed(lines) == allowed
