"""The figures of a feed for alarms and the dashboard: fields of every sweep's log entry, for log-based metrics."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from shared.contracts.interfaces import MinuteState
from shared.contracts.minutes import EVERY_MINUTE, ONE_MINUTE, Period
from shared.operations.feed_conditions import FeedCondition
from shared.operations.health import allowance, freshness, longest_run
from shared.operations.planner_state import PlanState


@dataclass(frozen=True)
class Figures:
    """The current figures of one feed, over the source's retention.

    Uncovered minutes are missing, overdue, dead, or not requested by a planner that has stopped; coverage is the share
    of the others. A feed without merged minutes is as old as its first minute. A feed of hours counts hours, and its
    freshness is that of a feed of minutes that is as late, so that one threshold fits all.
    """

    freshness_minutes: int
    uncovered_minutes: int
    coverage_percent: float
    absent_in_a_row: int


def fields_of(condition: FeedCondition | None, found: Figures) -> dict[str, object]:
    """Return the fields of a sweep's log entry.

    A feed that a condition blocks has its own alarm; its figures, which would trigger three more, are left out.
    """
    return {"error_type": condition.error_type} if condition and condition.blocks else asdict(found)


def figures(
    state: PlanState, known: Sequence[MinuteState], *, missing: int, now: datetime, period: Period = EVERY_MINUTE
) -> Figures:
    """Return the figures of a feed; missing counts the minutes unknown or overdue, which are not among the dead."""
    first = max(state.first, period.oldest_served(now))
    there = {minute.minute for minute in known}
    unrequested = sum(minute not in there for minute in state.unrequested(now, period))
    asked_for = max(period.count(first, state.watermark), 0) + unrequested
    uncovered = missing + unrequested + sum(minute.state == "dead" for minute in known)
    merged = max((minute.minute for minute in known if minute.state == "merged"), default=None)
    age = freshness(state.first, merged, now)
    share = 1 - uncovered / asked_for if asked_for else 1.0
    return Figures(
        freshness_minutes=int(max(age - allowance(period), timedelta()) / ONE_MINUTE) if age else 0,
        uncovered_minutes=uncovered,
        coverage_percent=round(100 * max(share, 0.0), 2),
        absent_in_a_row=longest_run((minute.minute for minute in known if minute.state == "absent"), period),
    )
