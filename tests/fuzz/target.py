"""A fuzzing target: inputs, and a check that names the outcome of each."""

import logging
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

# Bytes of choices for one input; the longest needs about half of them.
_CHOICES = 400
# From here on everything has been imported and every cache is warm, and memory should grow no more.
_WARM = 1000


@dataclass(frozen=True)
class Target:
    """A fuzzing target; `check` returns the outcome in a word, and lets unexpected exceptions through."""

    name: str
    inputs: SearchStrategy[Any]
    check: Callable[[Any], str]


@dataclass
class Fuzzed:
    """The number of inputs, their outcomes, and the memory that the process gained after the first 1,000."""

    target: str
    inputs: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    gained_mib: float = 0.0


def fuzz(target: Target, inputs: int, seed: int | None = None) -> Fuzzed:
    """Try a number of inputs; raise the first exception, with its input.

    Without a seed hypothesis searches in the same way each time, and shrinks a failing input.
    """
    found = Fuzzed(target.name)

    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        derandomize=seed is None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def every(value: Any) -> None:
        try:
            outcome = target.check(value)
        except BaseException as error:
            error.add_note(f"{target.name}: {value!r}")
            raise
        found.inputs += 1
        found.outcomes[outcome] += 1

    began = time.monotonic()
    with _quiet():
        if seed is None:
            every()
        else:
            _pour(every.hypothesis.fuzz_one_input, found, inputs, seed)  # type: ignore[attr-defined]
    found.seconds = time.monotonic() - began
    return found


def _pour(take: Callable[[bytes], object], found: Fuzzed, inputs: int, seed: int) -> None:
    """Give hypothesis its choices as random bytes, which takes a third of the time of its own search."""
    draw = random.Random(f"{found.target} {seed}")  # noqa: S311 (inputs to be had again)
    memory = _peak_mib()
    while found.inputs < inputs:
        take(draw.randbytes(_CHOICES))
        if found.inputs == _WARM:
            memory = _peak_mib()
    found.gained_mib = _peak_mib() - memory


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def _quiet() -> Iterator[None]:
    # A line for every refusal would be gigabytes.
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
