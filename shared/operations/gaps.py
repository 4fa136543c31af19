"""Minutes in trouble: as ranges with one command each, and by kind, which is one problem however many ranges it has."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from shared.contracts.minutes import EVERY_MINUTE, ONE_MINUTE, Period, format_minute, replay_command
from shared.contracts.outcomes import DeadLetterType
from shared.operations.problems import Problem

PLAN = "gti-mesh plan"
# A replay would load the minute again, and it would still wait for the next merge.
_BY_TROUBLE = {"never requested": PLAN, "never merged": "gti-mesh merge"}
_RANGES_SHOWN = 20
# The source no longer has the minute, or history would drop its rows: asking again changes nothing.
_FOR_GOOD = frozenset({"minute_expired"})


@dataclass(frozen=True)
class Gap:
    """Consecutive minutes with the same trouble and error type; reason is that of the first.

    Those of a feed of hours are the first minutes of its hours.
    """

    feed: str
    first: datetime
    last: datetime
    trouble: str
    reason: str | None = None
    error_type: DeadLetterType | None = None
    period: Period = EVERY_MINUTE

    def holds(self, feed: str | None, minute: datetime | None) -> bool:
        """Return whether the gap contains a minute."""
        return feed == self.feed and minute is not None and self.first <= minute <= self.last

    @property
    def minutes(self) -> int:
        """The number of minutes in the gap; an hour has 60."""
        return self.period.count(self.first, self.last) * (self.period.length // ONE_MINUTE)

    @property
    def remedy(self) -> str:
        """The command that repairs the gap, or empty if none does."""
        if self.error_type in _FOR_GOOD:
            return ""
        # The manifest exists, but not its objects: only new objects help.
        options = ("--replace", "--force") if self.error_type == "object_missing" else ()
        return _BY_TROUBLE.get(self.trouble) or replay_command(self.feed, self.first, self.last, *options)

    def report(self) -> dict[str, object]:
        """Return the gap for the JSON report."""
        facts = {name: value for name, value in asdict(self).items() if name != "period"}
        return {**facts, "minutes": self.minutes, "remedy": self.remedy}


def minutes_to_replay(gaps: Iterable[Gap]) -> list[datetime]:
    """Return the minutes of the gaps that a command repairs: requests for the others would only be dead-lettered."""
    return [minute for gap in gaps if gap.remedy for minute in gap.period.between(gap.first, gap.last)]


def describe(gap: Gap) -> str:
    """Return a gap in one line."""
    span = " to ".join(dict.fromkeys((format_minute(gap.first), format_minute(gap.last))))
    reason = f": {gap.reason}" if gap.reason else ""
    return f"{gap.feed} {span} ({gap.minutes} min) {gap.trouble}{reason}"


@dataclass(frozen=True)
class GapKind:
    """Gaps of one feed with the same trouble and error type, oldest first."""

    gaps: Sequence[Gap]

    @property
    def minutes(self) -> int:
        """The number of minutes in all of them."""
        return sum(gap.minutes for gap in self.gaps)

    @property
    def remedy(self) -> str:
        """The command that repairs them all."""
        one, several = self.gaps[0].remedy, len(self.gaps) > 1
        if one.startswith("gti-mesh replay ") and not one.endswith(" --force") and several:
            return f"gti-mesh replay {self.gaps[0].feed} --gaps"
        return one

    def problem(self) -> Problem:
        """Return them as one problem."""
        first, last = self.gaps[0], self.gaps[-1]
        if len(self.gaps) == 1:
            return Problem(describe(first), self.remedy)
        span = f"{format_minute(first.first)} to {format_minute(last.last)}"
        reason = f": {first.reason}" if first.reason else ""
        text = f"{first.feed}: {self.minutes} minutes in {len(self.gaps)} ranges, {span}, {first.trouble}{reason}"
        return Problem(text, self.remedy)

    def report(self) -> dict[str, object]:
        """Return the kind for the page, with the newest of its ranges."""
        first = self.gaps[0]
        return {
            "trouble": first.trouble,
            "error_type": first.error_type,
            "reason": first.reason,
            "minutes": self.minutes,
            "ranges": len(self.gaps),
            "shown": [{"first": gap.first, "last": gap.last} for gap in self.gaps[-_RANGES_SHOWN:]],
            "remedy": self.remedy,
        }


def gap_kinds(gaps: Iterable[Gap]) -> list[GapKind]:
    """Group the gaps of one feed, oldest first."""
    kinds: dict[tuple[str, str | None], list[Gap]] = {}
    for gap in gaps:
        kinds.setdefault((gap.trouble, gap.error_type), []).append(gap)
    return [GapKind(kind) for kind in kinds.values()]
