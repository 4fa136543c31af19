"""docs/security.md and docs/deploy.md name tests for their promises, and each of them exists."""

import re

import pytest

from tests.support.paths import REPOSITORY

SECURITY = (REPOSITORY / "docs/security.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def written() -> set[str]:
    """Return the names of all tests."""
    sources = (file.read_text(encoding="utf-8") for file in (REPOSITORY / "tests").rglob("test_*.py"))
    return {name for source in sources for name in re.findall(r"^\s*def (test_\w+)\(", source, re.MULTILINE)}


@pytest.mark.parametrize("page", ["security.md", "deploy.md"])
def test_every_test_that_the_page_names_exists(page: str, written: set[str]) -> None:
    """The test fails if a named test was renamed or removed."""
    named = set(re.findall(r"`(test_\w+)`", (REPOSITORY / "docs" / page).read_text(encoding="utf-8")))
    assert named
    assert not named - written


def test_every_line_of_the_threat_model_has_a_test() -> None:
    """Risks without a test have their own section and are in no table."""
    lines, _, rest = SECURITY.partition("## What remains")
    rows = [line for line in lines.splitlines() if line.startswith("| ") and not line.startswith("| promise |")]
    assert len(rows) > 30
    assert all("`test_" in row for row in rows)
    assert "|" not in rest
