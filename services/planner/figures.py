"""What alarms and the dashboard are told of a feed: figures on the line of every sweep, for log-based metrics."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from services.planner.state import PlanState
from shared.minutes import ONE_MINUTE, oldest_served
from shared.ports import MinuteState


@dataclass(frozen=True)
class Figures:
    """One feed at one moment, over the days that the source keeps.

    Uncovered are minutes missing, overdue on their way, or dead; coverage is the share of the others. A feed of which
    nothing has been merged is as old as its first minute.
    """

    freshness_minutes: int
    uncovered_minutes: int
    coverage_percent: float
    absent_in_a_row: int


def figures(state: PlanState, known: Sequence[MinuteState], *, missing: int, now: datetime) -> Figures:
    """Return the figures of a feed; missing counts the minutes unknown or overdue, which are not among the dead."""
    first = max(state.first, oldest_served(now))
    asked_for = max(int((state.watermark - first) / ONE_MINUTE) + 1, 0)
    uncovered = missing + sum(minute.state == "dead" for minute in known)
    # With the first among them: a replay may have merged older ones, and they make the feed no older.
    newest = max([state.first, *(minute.minute for minute in known if minute.state == "merged")])
    share = 1 - uncovered / asked_for if asked_for else 1.0
    return Figures(
        freshness_minutes=int((now - newest) / ONE_MINUTE),
        uncovered_minutes=uncovered,
        coverage_percent=round(100 * max(share, 0.0), 2),
        absent_in_a_row=_longest_run(minute.minute for minute in known if minute.state == "absent"),
    )


def _longest_run(minutes: Iterable[datetime]) -> int:
    # Neighbours keep the same distance to their place in the row.
    runs = groupby(enumerate(sorted(minutes)), lambda placed: placed[1] - placed[0] * ONE_MINUTE)
    return max((len(list(run)) for _, run in runs), default=0)
