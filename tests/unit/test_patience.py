"""A deadline of a test only bounds how long its failure takes, so that no slow machine fails it."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.paths import REPOSITORY

LEAST_SECONDS = 60


def short_deadlines(file: Path) -> Iterator[str]:
    """Yield the calls of a file that give something less than a minute."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                value = keyword.value
                given = value.value if isinstance(value, ast.Constant) and keyword.arg == "timeout" else None
                if isinstance(given, int | float) and given < LEAST_SECONDS:
                    yield f"{file}:{node.lineno} timeout={given}"


def test_no_test_is_in_a_hurry() -> None:
    """Whatever a test waits for has a minute at least; tests/support/waiting.py has the usual patience."""
    files = [*(REPOSITORY / "tests").rglob("*.py")]
    assert [found for file in files for found in short_deadlines(file)] == []


def test_a_short_deadline_is_found(tmp_path: Path) -> None:
    """With the line and the value; one of a minute and a half is fine."""
    file = tmp_path / "test_hurried.py"
    file.write_text("requests.get('x', timeout=90)\nrequests.get('x', timeout=5)\n", encoding="utf-8")
    assert list(short_deadlines(file)) == [f"{file}:2 timeout=5"]
