"""Every fuzzing target with a few inputs, the same each time; `make fuzz` tries 100,000 others of each."""

import json
from pathlib import Path

import pytest

from benchmarks.section import read_section
from tests.fuzz.__main__ import main
from tests.fuzz.targets import TARGETS, fuzz_target

# So many that every target meets more than one outcome.
INPUTS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_in_has_an_outcome(name: str) -> None:
    """There are no unexpected exceptions, and the inputs include valid and invalid ones."""
    found = fuzz_target(name, INPUTS)
    assert found.inputs >= INPUTS
    assert len(found.outcomes) > 1


def test_the_figures_are_told_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The figures are printed, kept as JSON, and written as a table of a page."""
    report, page = tmp_path / "report.json", tmp_path / "page.md"
    page.write_text("# A page\n<!-- fuzzed -->\n<!-- /fuzzed -->\n", encoding="utf-8")
    assert main(["--inputs", "60", "--target", "settings", "--report", str(report), "--page", str(page)]) == 0
    [summary] = json.loads(report.read_text(encoding="utf-8"))
    assert (summary["target"], summary["inputs"]) == ("settings", sum(summary["outcomes"].values()))
    assert f"settings: {summary['inputs']} inputs" in capsys.readouterr().out
    assert f"| settings | {summary['inputs']} |" in read_section(page, "fuzzed")[-1]
