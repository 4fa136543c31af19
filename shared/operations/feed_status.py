"""The current status of the feeds: progress, gaps, and problems of the feed as a whole."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from shared.contracts.minutes import ONE_MINUTE
from shared.operations.coverage import Coverage, read_coverages
from shared.operations.feed_conditions import FeedCondition
from shared.operations.gaps import PLAN, Gap, gap_kinds
from shared.operations.health import MAX_ABSENT_IN_A_ROW, MAX_REJECTED_SHARE, freshness, is_stale
from shared.operations.mesh import Mesh
from shared.operations.problems import Problem
from shared.operations.version_counts import VersionCounts

_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class FeedStatus:
    """The current status of one feed; states are counted over 24 hours and over the source's retention (7 days)."""

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
    condition: FeedCondition | None = None
    trouble: Sequence[Problem] = ()
    period: Literal["minute", "hour"] = "minute"
    versions: VersionCounts | None = None

    def problems(self) -> Iterator[Problem]:
        """Yield the problems that make this feed degraded, those that explain others first; one for each kind."""
        yield from self.conditions()
        for kind in gap_kinds(self.unexplained_gaps()):
            yield kind.problem()

    def unexplained_gaps(self) -> Sequence[Gap]:
        """Return the gaps that no problem of the feed as a whole explains: such a problem is reported once."""
        explained = {"never requested"} | ({"missing"} if self._blocked else set())
        return [gap for gap in self.gaps if gap.trouble not in explained]

    def conditions(self) -> Iterator[Problem]:
        """Yield problems of the feed as a whole."""
        yield from self.trouble
        if self.stale and not self._blocked and PLAN not in {problem.remedy for problem in self.trouble}:
            yield Problem(f"{self.feed} is stale: no minute of the last {self.freshness_minutes} has been merged")
        if self.absent_in_a_row > MAX_ABSENT_IN_A_ROW:
            yield Problem(f"{self.feed}: the source had no package for {self.absent_in_a_row} {self.period}s in a row")
        if self.rejected_24h > MAX_REJECTED_SHARE * self.lines_24h:
            yield Problem(f"{self.feed}: {self.rejected_24h} of {self.lines_24h} lines were rejected in 24 hours")
        if self.versions:
            yield from self.versions.problems(self.feed)

    @property
    def _blocked(self) -> bool:
        return self.condition is not None and self.condition.blocks

    def report(self) -> dict[str, object]:
        """Return the status for the JSON report."""
        gaps = [gap.report() for gap in self.gaps]
        return {**self.facts(), "gaps": gaps, "problems": [str(problem) for problem in self.problems()]}

    def facts(self) -> dict[str, object]:
        """Return all but the problems, for JSON."""
        facts = {name: value for name, value in vars(self).items() if name not in ("trouble", "gaps")}
        condition = self.condition.model_dump() if self.condition else None
        return {**facts, "condition": condition, "versions": self.versions.report() if self.versions else None}


def feed_status(coverage: Coverage, now: datetime, versions: VersionCounts | None = None) -> FeedStatus:
    """Return the status of a feed from its coverage and the counts of its newest versions."""
    day = list(coverage.since(now - _DAY))
    hour = [cell for cell in coverage.cells if coverage.last_due and cell.minute > coverage.last_due - _HOUR]
    length = coverage.period.length // ONE_MINUTE
    merged = coverage.last("merged")
    age = freshness(coverage.first, merged, now)
    return FeedStatus(
        feed=coverage.feed,
        last_due=coverage.last_due,
        last_merged=merged,
        freshness_minutes=None if age is None else int(age / ONE_MINUTE),
        stale=is_stale(age, coverage.period),
        states_24h=dict(Counter(cell.state for cell in day)),
        states_7d=dict(Counter(cell.state for cell in coverage.cells)),
        gaps=tuple(coverage.gaps(now)),
        lines_24h=sum(cell.lines or 0 for cell in day),
        rejected_24h=sum(cell.rejected or 0 for cell in day),
        lines_per_minute=round(sum(cell.lines or 0 for cell in hour) / (len(hour) * length), 1) if hour else 0.0,
        absent_in_a_row=coverage.longest_absence(),
        condition=coverage.condition,
        period=coverage.period.name,
        trouble=(*coverage.problems, *_condition(coverage, now)),
        versions=versions,
    )


def _condition(coverage: Coverage, now: datetime) -> Iterator[Problem]:
    if coverage.condition:
        what = "no package is given" if coverage.condition.blocks else "no package comes"
        yield from coverage.condition.problems(f"{coverage.feed}: {what}", now)


def read_feeds(mesh: Mesh, now: datetime) -> list[FeedStatus]:
    """Read the status of every feed that is switched on."""
    coverages = read_coverages(mesh, mesh.settings.feed_definitions(), now)
    return [feed_status(coverage, now) for coverage in coverages]
