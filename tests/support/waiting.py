"""Waiting for a condition, with a deadline."""

import time
from collections.abc import Callable

# Only a test that fails takes as long; a machine with other work to do must not be what fails it.
PATIENCE = 120.0
_SHORTEST, _LONGEST = 0.05, 1.0


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
    """Return once the condition holds; fail the test with the condition's name at the deadline.

    A slow condition is checked less often, so that it does not slow down what it waits for.
    """
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(min(max(3 * (now - asked), _SHORTEST), _LONGEST))
