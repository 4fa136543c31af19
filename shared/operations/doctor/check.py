"""A check and its finding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

NOT_LOCAL = "not about a local mesh"


class Outcome(StrEnum):
    """The outcome of a check."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    UNKNOWN = "could not look"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Finding:
    """The outcome of a check, and its observation: measured values, or the names of what is wrong."""

    outcome: Outcome
    seen: str


def passed(seen: str) -> Finding:
    """Return a finding that what we rely on holds."""
    return Finding(Outcome.PASS, seen)


def failed(seen: str) -> Finding:
    """Return a finding that what we rely on does not hold."""
    return Finding(Outcome.FAIL, seen)


def unknown(seen: str) -> Finding:
    """Return a finding that it could not be seen, and why."""
    return Finding(Outcome.UNKNOWN, seen)


def skipped(why: str) -> Finding:
    """Return a finding that the check was not made, and why."""
    return Finding(Outcome.SKIPPED, why)


def passed_unless(problems: Sequence[str], seen: str) -> Finding:
    """Return a pass, or a fail that lists the problems."""
    return failed("; ".join(problems)) if problems else passed(seen)


@dataclass(frozen=True)
class Check:
    """One check.

    `relies_on` says what the mesh relies on; `meaning` what a fail means for its promises; `remedy` what to do.
    `local` says whether the check means anything on a local mesh. `consent` says what one has to agree to before it
    runs: costs of more than a few cents, or a trace that cannot be removed.
    """

    name: str
    relies_on: str
    look: Callable[[], Finding]
    meaning: str
    remedy: str
    local: bool = False
    consent: str = ""
