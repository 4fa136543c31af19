"""The feeds at one moment: how far each has come, what is missing, and what is wrong with it as a whole."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from services.console.coverage import Coverage, Gap, describe, read_coverages
from services.console.mesh import Mesh

# Availability (60 min), grace, two missed merges: beyond this a feed is stale.
_STALE_AFTER = timedelta(minutes=150)
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
# The reference calls several missing packages in a row an error condition.
_MOST_ABSENT_IN_A_ROW = 5
# Half the share above which a package is refused (shared.rejecting); a day near it deserves a look.
_MOST_REJECTED = 0.05


@dataclass(frozen=True)
class FeedStatus:
    """One feed at one moment; states are counted over 24 hours and over all that the source keeps (7 days)."""

    feed: str
    last_due: datetime | None
    last_merged: datetime | None
    freshness_minutes: int | None
    stale: bool
    states_24h: Mapping[str, int]
    states_7d: Mapping[str, int]
    gaps: Sequence[Gap]
    lines_24h: int
    rejected_24h: int
    lines_per_minute: float
    absent_in_a_row: int

    def problems(self) -> Iterator[str]:
        """Yield what makes this feed degraded."""
        for gap in self.gaps:
            yield f"{describe(gap)}; {gap.remedy}"
        yield from self.conditions()

    def conditions(self) -> Iterator[str]:
        """Yield what is wrong with the feed as a whole."""
        if self.stale:
            newest = f"the newest merged minute is {self.freshness_minutes} minutes old"
            yield f"{self.feed} is stale: {newest if self.last_merged else 'no minute has been merged'}"
        if self.absent_in_a_row > _MOST_ABSENT_IN_A_ROW:
            yield f"{self.feed}: the source had no package for {self.absent_in_a_row} minutes in a row"
        if self.rejected_24h > _MOST_REJECTED * self.lines_24h:
            yield f"{self.feed}: {self.rejected_24h} of {self.lines_24h} lines were rejected in 24 hours"

    def report(self) -> dict[str, object]:
        """Return the status as JSON has it."""
        gaps = [gap.report() for gap in self.gaps]
        return {**asdict(self), "gaps": gaps, "problems": list(self.problems())}


def feed_status(coverage: Coverage, now: datetime) -> FeedStatus:
    """Return the status of a feed from its coverage."""
    day = list(coverage.since(now - _DAY))
    hour = [cell for cell in coverage.cells if coverage.last_due and cell.minute > coverage.last_due - _HOUR]
    merged = coverage.last("merged")
    return FeedStatus(
        feed=coverage.feed,
        last_due=coverage.last_due,
        last_merged=merged,
        freshness_minutes=int((now - merged) / timedelta(minutes=1)) if merged else None,
        stale=_is_stale(merged, coverage.first, now),
        states_24h=dict(Counter(cell.state for cell in day)),
        states_7d=dict(Counter(cell.state for cell in coverage.cells)),
        gaps=tuple(coverage.gaps(now)),
        lines_24h=sum(cell.lines or 0 for cell in day),
        rejected_24h=sum(cell.rejected or 0 for cell in day),
        lines_per_minute=round(sum(cell.lines or 0 for cell in hour) / len(hour), 1) if hour else 0.0,
        absent_in_a_row=coverage.longest_absence(),
    )


def _is_stale(merged: datetime | None, first: datetime | None, now: datetime) -> bool:
    # A replay of older minutes says nothing of those that the planner has only begun to ask for.
    newest = max((minute for minute in (merged, first) if minute), default=now)
    return now - newest > _STALE_AFTER


def read_feeds(mesh: Mesh, now: datetime) -> list[FeedStatus]:
    """Read the status of every feed that is switched on."""
    coverages = read_coverages(mesh, mesh.settings.feed_definitions(), now)
    return [feed_status(coverage, now) for coverage in coverages]
