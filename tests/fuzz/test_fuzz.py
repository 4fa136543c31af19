"""Every target of fuzzing with a few inputs, the same ones every time; `make fuzz` tries 100,000 others of each."""

import json
from pathlib import Path

import pytest

from tests.bench.section import read_section
from tests.fuzz.__main__ import main
from tests.fuzz.targets import TARGETS, fuzz_target

# So many that every target meets more than one outcome.
INPUTS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_in_has_an_outcome(name: str) -> None:
    """Nothing escapes that nobody has foreseen, and both what is right and what is wrong is among the inputs."""
    found = fuzz_target(name, INPUTS)
    assert found.inputs >= INPUTS
    assert len(found.outcomes) > 1


def test_the_figures_are_told_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In words, as JSON, and as a table of a page."""
    report, page = tmp_path / "report.json", tmp_path / "page.md"
    page.write_text("# A page\n<!-- fuzzed -->\n<!-- /fuzzed -->\n", encoding="utf-8")
    assert main(["--inputs", "60", "--target", "settings", "--report", str(report), "--page", str(page)]) == 0
    [told] = json.loads(report.read_text(encoding="utf-8"))
    assert (told["target"], told["inputs"]) == ("settings", sum(told["outcomes"].values()))
    assert f"settings: {told['inputs']} inputs" in capsys.readouterr().out
    assert f"| settings | {told['inputs']} |" in read_section(page, "fuzzed")[-1]
