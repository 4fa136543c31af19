"""Validation errors in one line a person can act on: the place, the value and the reason."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_SHOWN = 80


def problems(error: ValidationError) -> str:
    """Return every problem of a validation error, joined by semicolons."""
    return "; ".join(_problem(detail) for detail in error.errors(include_url=False, include_context=False))


def _problem(detail: ErrorDetails) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    reason = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return f"{place}: missing"
    shown = repr(detail["input"])
    if isinstance(detail["input"], str | int | float | bool) and shown not in reason:
        reason = f"{reason}, got {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '...'}"
    return f"{place}: {reason}" if place else reason
