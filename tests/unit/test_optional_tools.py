"""The end of a test run lists what was not run."""

import re

from tests.support.optional_tools import CHROMIUM, LBZIP2, not_run
from tests.support.paths import REPOSITORY


def test_skipped_tests_are_counted_by_what_they_want() -> None:
    """The most frequent reason comes first; each has installation advice, any other reason is unchanged."""
    assert list(not_run([CHROMIUM.reason, LBZIP2.reason, LBZIP2.reason, "only root can try it"])) == [
        f"2 tests for want of lbzip2; {LBZIP2.how}",
        f"1 test for want of Chromium; {CHROMIUM.how}",
        "1 test: only root can try it",
    ]


def test_a_want_is_named_in_one_place() -> None:
    """Every skip uses a known reason; a condition of Python or the user cannot be installed."""
    files = [file for file in (REPOSITORY / "tests").rglob("*.py") if file.name != "test_optional_tools.py"]
    skips = [skip for file in files for skip in re.findall(r"pytest\.skip\((.+)\)", file.read_text(encoding="utf-8"))]
    assert skips
    assert all(re.fullmatch(r"(optional_tools\.)?[A-Z0-9]+\.reason", skip) for skip in skips)
