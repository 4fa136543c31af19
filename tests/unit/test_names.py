"""The product uses the names and words of the field, and each concept has one place."""

import re
from collections.abc import Iterator

import pytest

from tests.support.paths import REPOSITORY

FOLDERS = ("gti_mesh", "services", "shared", "infra", "scripts")
# Limits are MAX_PAGES and MIN_ROWS.
AVOIDED = re.compile(r"\b_?(?:MOST|LEAST)_[A-Z]|\b(?:[Ww]hoever|anew|is no JSON)\b")
# Texts of the first release are read as it wrote them.
EXCEPT = "shared/contracts/first_release.py"


def lines_of(folder: str) -> Iterator[tuple[str, str]]:
    """Yield each line of a folder's sources, after its file."""
    for file in (REPOSITORY / folder).rglob("*.py"):
        name = str(file.relative_to(REPOSITORY))
        yield from ((name, line.strip()) for line in file.read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_and_words_are_those_of_the_field(folder: str) -> None:
    """Neither a constant nor a comment uses a name that readers of other projects would have to guess."""
    assert [(name, line) for name, line in lines_of(folder) if AVOIDED.search(line) and name != EXCEPT] == []


def test_the_clock_is_read_in_one_place() -> None:
    """All else calls utc_now, or is given a clock."""
    reads = {name for folder in FOLDERS for name, line in lines_of(folder) if re.search(r"\b(now|utcnow)\(UTC\)", line)}
    assert reads == {"shared/contracts/minutes.py"}
