"""docs/lessons.md and docs/reliability.md name a test for every defect, and each of them exists."""

import re

import pytest

from tests.support.paths import REPOSITORY


@pytest.mark.parametrize("page", ["docs/lessons.md", "docs/reliability.md"])
def test_every_test_that_a_page_names_exists(page: str) -> None:
    """The test fails if a named test was renamed or removed."""
    named = set(re.findall(r"`(test_\w+)`", (REPOSITORY / page).read_text(encoding="utf-8")))
    sources = "\n".join(file.read_text(encoding="utf-8") for file in (REPOSITORY / "tests").rglob("test_*.py"))
    written = set(re.findall(r"def (test_\w+)\(", sources))
    assert named
    assert not named - written


def test_every_lesson_has_a_test() -> None:
    """Every row of the table names a test."""
    rows = [line for line in (REPOSITORY / "docs/lessons.md").read_text(encoding="utf-8").splitlines() if "|" in line]
    assert all("`test_" in row for row in rows[2:])
