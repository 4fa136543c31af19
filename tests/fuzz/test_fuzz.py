"""Every target of fuzzing with a few inputs, the same ones every time; `make fuzz` tries 100,000 others of each."""

import pytest

from tests.fuzz.targets import TARGETS, fuzz_target

# So many that every target meets more than one outcome.
INPUTS = 60


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_comes_in_has_an_outcome(name: str) -> None:
    """Nothing escapes that nobody has foreseen, and both what is right and what is wrong is among the inputs."""
    found = fuzz_target(name, INPUTS)
    assert found.inputs >= INPUTS
    assert len(found.outcomes) > 1
