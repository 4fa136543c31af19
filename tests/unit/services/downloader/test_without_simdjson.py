"""On a Python without a wheel of simdjson every line is checked, only slower."""

import subprocess
import sys

from tests.support.paths import REPOSITORY

HIDDEN = """
import sys
sys.modules["simdjson"] = None
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""


def test_lines_are_read_the_same_without_it() -> None:
    """The tests of lines also pass without it."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", HIDDEN, "-q", "-p", "no:cacheprovider", "tests/contract/test_json_objects.py"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
