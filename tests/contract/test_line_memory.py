"""A large line takes memory of its own size and a few MiB, whatever it contains.

Each is checked in its own process, whose peak resident memory comes from the kernel: Python's own figures do not
include what a regular expression or a parser holds.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from services.downloader.lines import MAX_LINE_BYTES
from tests.support.line_memory import BAD_KINDS, KINDS
from tests.support.waiting import PATIENCE

LARGEST = MAX_LINE_BYTES // 1024 // 1024
# Parts of a mebibyte on their way, up to six times as large once their control characters are escaped.
BESIDE_THE_LINE = 20


def taken(kind: str, mebibytes: int) -> dict[str, Any]:
    """Check a line of this kind and size in its own process, and return the result with its memory use."""
    command = [sys.executable, "-m", "tests.support.line_memory", kind, str(mebibytes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE)  # noqa: S603
    took: dict[str, Any] = json.loads(done.stdout)
    return took


@pytest.mark.parametrize("kind", KINDS)
def test_a_line_as_large_as_they_get_is_checked_in_its_own_size(kind: str) -> None:
    """Strings, arrays, objects, nesting and numbers of 64 MiB are valid lines, and are held in memory once."""
    took = taken(kind, LARGEST)
    assert took["reason"] is None
    assert took["size"] > (LARGEST - 1) * 1024 * 1024
    assert took["written"] > took["size"]
    assert took["mebibytes"] < LARGEST + BESIDE_THE_LINE


@pytest.mark.parametrize("kind", BAD_KINDS)
def test_a_bad_line_as_large_as_they_get_is_kept_in_its_own_size(kind: str) -> None:
    """A line that is not JSON is kept whole, in parts, with a reason; a number is copied once to be parsed."""
    took = taken(kind, LARGEST)
    assert took["reason"]
    assert took["written"] > took["size"]
    assert took["mebibytes"] < (2 if kind == "a number beyond FLOAT64" else 1) * LARGEST + BESIDE_THE_LINE


@pytest.mark.parametrize("mebibytes", [2, 8])
def test_a_smaller_line_takes_less(mebibytes: int) -> None:
    """A string of 8 MB takes little memory; it took 990 MiB when the check kept a frame per character."""
    assert taken("string", mebibytes)["mebibytes"] < mebibytes + BESIDE_THE_LINE
