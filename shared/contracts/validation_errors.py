"""Validation errors in one line a person can act on: the place, the value and the reason."""

from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_SHOWN = 80
# A validator raises a PydanticCustomError of this type if the value must not be shown.
HIDDEN = "hidden"


def describe_errors(error: ValidationError) -> str:
    """Return all errors of a validation error, joined by semicolons."""
    return "; ".join(each_problem(error))


def each_problem(error: ValidationError, places: Mapping[str, str] | None = None) -> list[str]:
    """Return every problem of a validation error; `places` gives other names for the places of problems."""
    details = error.errors(include_url=False, include_context=False)
    return [_describe_error(detail, places or {}) for detail in details]


def _describe_error(detail: ErrorDetails, places: Mapping[str, str]) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    place = places.get(place, place)
    reason = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "missing":
        return f"{place}: missing"
    shown = repr(detail["input"])
    if detail["type"] != HIDDEN and isinstance(detail["input"], str | int | float | bool) and shown not in reason:
        reason = f"{reason}, got {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '...'}"
    return f"{place}: {reason}" if place else reason
