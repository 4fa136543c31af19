"""The search grammar of issues: terms `name:value` separated by spaces; all must hold, of equal names one."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from infra.local.virustotal.streams.issues import Issue


class BadSearchError(ValueError):
    """The search is refused."""


@dataclass(frozen=True)
class Bounds:
    """Whether `after` and `before` include their own time, which is not documented."""

    inclusive: bool

    def after(self, time: float, bound: float) -> bool:
        """Return whether a time is after a bound."""
        return time > bound or (self.inclusive and time == bound)

    def before(self, time: float, bound: float) -> bool:
        """Return whether a time is before a bound."""
        return time < bound or (self.inclusive and time == bound)


_Term = Callable[[Issue, str, Bounds], bool]
_TERMS: Mapping[str, _Term] = {
    "last_seen_after": lambda issue, value, bounds: bounds.after(issue.last_seen, _moment(value)),
    "last_seen_before": lambda issue, value, bounds: bounds.before(issue.last_seen, _moment(value)),
    "first_seen_after": lambda issue, value, bounds: bounds.after(issue.first_seen, _moment(value)),
    "severity": lambda issue, value, _: issue.severity == int(value),
    "severity_lte": lambda issue, value, _: issue.severity <= int(value),
    "severity_gte": lambda issue, value, _: issue.severity >= int(value),
    "status_new": lambda issue, value, _: (issue.status or "closed").partition("_")[0] == value,
    "uid": lambda issue, value, _: issue.id == value,
}


def read_search(text: str, bounds: Bounds) -> Callable[[Issue], bool]:
    """Return whether an issue fits; raise BadSearchError for a term that is not valid."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for term in text.split():
        name, colon, value = term.partition(":")
        if not colon or not value or name not in _TERMS:
            raise BadSearchError(f"Invalid search term {term!r}")
        found[name].append(value)
        _check(name, value)
    return lambda issue: all(any(_TERMS[name](issue, one, bounds) for one in each) for name, each in found.items())


def _check(name: str, value: str) -> None:
    try:
        _ = _moment(value) if name.endswith(("_after", "_before")) else None
        _ = int(value) if name.startswith("severity") else None
    except ValueError:
        raise BadSearchError(f"Invalid value of {name}: {value!r}") from None


def _moment(text: str) -> float:
    date = datetime.fromisoformat(text)
    if date.tzinfo is None:
        raise ValueError("no time zone")
    return date.timestamp()
