"""The product uses the names and words of the field."""

import re

import pytest

from tests.support.paths import REPOSITORY

FOLDERS = ("gti_mesh", "services", "shared", "infra", "scripts")
# Limits are MAX_PAGES and MIN_ROWS.
AVOIDED = re.compile(r"\b_?(?:MOST|LEAST)_[A-Z]|\b(?:[Ww]hoever|anew|is no JSON)\b")
# Texts of the first release are read as it wrote them.
EXCEPT = "shared/contracts/first_release.py"


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_and_words_are_those_of_the_field(folder: str) -> None:
    """Neither a constant nor a comment uses a name that readers of other projects would have to guess."""
    lines = [
        f"{name}:{number}: {line.strip()}"
        for file in (REPOSITORY / folder).rglob("*.py")
        if (name := str(file.relative_to(REPOSITORY))) != EXCEPT
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    ]
    assert lines
    assert [line for line in lines if AVOIDED.search(line)] == []
