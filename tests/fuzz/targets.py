"""Every target by name."""

from tests.fuzz import answers, files, packages, pushes, states
from tests.fuzz.target import Fuzzed, fuzz

TARGETS = {target.name: target for module in (pushes, packages, answers, states, files) for target in module.TARGETS}


def fuzz_target(name: str, inputs: int, seed: int | None = None) -> Fuzzed:
    """Fuzz one target in the current process."""
    return fuzz(TARGETS[name], inputs, seed)
