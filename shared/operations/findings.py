"""The findings of an audit: each a statement with its minute or id, and the command or step that repairs it."""

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Protocol

from shared.contracts.minutes import format_minute, replay_command
from shared.feeds.definition import period_of


@dataclass(frozen=True)
class Finding:
    """A mismatch and its remedy."""

    what: str
    remedy: str


class Audited(Protocol):
    """The findings about one feed, stream or set of letters."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The mismatches."""

    def summary(self) -> str:
        """Return the result in one line."""


def number_of(findings: Sequence[Finding]) -> str:
    """Return the number of mismatches in words."""
    return f"{len(findings) or 'no'} mismatch{'es' if findings else ''}"


def about(feed: str, minute: datetime, text: str, *options: str) -> Finding:
    """Return a finding about a minute that a replay repairs; options are those of `gti-mesh replay`."""
    return Finding(f"{format_minute(minute)} {text}", replay_command(feed, minute, minute, *options))


def about_package(feed: str, minute: datetime, text: str, now: datetime) -> Finding:
    """Return a finding about a minute whose package must be fetched again, while the source has it."""
    if period_of(feed).still_has(minute, now):
        return about(feed, minute, text, "--replace", "--force")
    return Finding(
        f"{format_minute(minute)} {text}", "none: the source no longer has the minute; history keeps its rows"
    )


def about_ranges(
    feed: str,
    texts: Iterable[tuple[datetime, str]],
    now: datetime,
    landed: Container[datetime],
) -> Iterator[Finding]:
    """Yield one finding per range of adjacent minutes with the same text, which a replay repairs.

    A minute that has neither landed nor can be fetched cannot be repaired.
    """
    period = period_of(feed)
    ordered = sorted(texts)
    keys = [
        (minute - place * period.length, text, period.still_has(minute, now) or minute in landed)
        for place, (minute, text) in enumerate(ordered)
    ]
    for (_, text, can_come), run in groupby(zip(keys, ordered, strict=True), key=lambda pair: pair[0]):
        minutes = [minute for _, (minute, _) in run]
        first, last = minutes[0], minutes[-1]
        span = format_minute(first) if first == last else f"{format_minute(first)} to {format_minute(last)}"
        remedy = replay_command(feed, first, last) if can_come else "none: the source no longer has it"
        yield Finding(f"{span} {text}", remedy)
