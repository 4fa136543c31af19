"""The work of a sweep: compare the minutes that should exist with the ledger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from shared.contracts.interfaces import MinuteState
from shared.contracts.minutes import EVERY_MINUTE, Period
from shared.operations.health import newest_checked, trouble_of
from shared.operations.planner_state import PlanState, RequestRecord

# The cause of a dead minute rarely disappears within minutes.
_FIRST_REST = timedelta(hours=1)
# Before the source's retention ends, an absent minute is requested once more.
_LAST_CHANCE = timedelta(hours=6)
_LAST_WORD = timedelta(days=1)
NOT_REPLAYED: Mapping[datetime, datetime] = MappingProxyType({})


@dataclass(frozen=True)
class MissingMinute:
    """A minute that needs another push: unknown to the ledger, landed and never merged, dead, or absent.

    An expired one is unknown, and the source no longer serves it. since is the time of the ledger entry; None if there
    is none.
    """

    minute: datetime
    kind: Literal["unknown", "expired", "unmerged", "dead", "absent"]
    since: datetime | None = None

    def is_due(self, asked: RequestRecord | None, now: datetime) -> bool:
        """Return whether to request it now; asked is the record of earlier requests."""
        if self.kind != "dead":
            return asked is None or asked.is_due(now)
        rested = self.since is None or now - self.since >= _FIRST_REST
        return rested and (asked is None or not asked.dead or asked.is_due(now))

    def asked(self, before: RequestRecord | None, now: datetime) -> RequestRecord:
        """Return its record with one more request; the count restarts if it has become dead."""
        dead = self.kind == "dead"
        if before and before.dead == dead:
            return before.again(now)
        return RequestRecord(minute=self.minute, times=1, last=now, dead=dead)


def begin_of_interest(now: datetime, period: Period = EVERY_MINUTE) -> datetime:
    """Return the oldest minute to check: a day past the source's retention, so that each reaches a final state."""
    return period.oldest_served(now) - _LAST_WORD


def find_missing(
    state: PlanState,
    known: Iterable[MinuteState],
    now: datetime,
    replayed: Mapping[datetime, datetime] = NOT_REPLAYED,
    period: Period = EVERY_MINUTE,
) -> list[MissingMinute]:
    """Return the missing minutes, oldest first because they expire first.

    replayed are the minutes of accepted replays, with the time of the request. An unknown minute that the source no
    longer serves is requested too: it is published from its manifest, or given up with a reason.
    """
    states = {minute.minute: minute for minute in known}
    last = min(state.watermark, newest_checked(now, period))
    planned = period.between(max(state.first, begin_of_interest(now, period)), last)
    late = {minute: state.requested_late(minute) for minute in planned}
    asked = {minute: at for minute, at in replayed.items() if minute not in late}
    asked |= {one.minute: one.at for one in states.values() if one.state == "due" and one.minute not in late}
    due = [minute for minute, at in (late | asked).items() if trouble_of(minute, "due", at, now, period=period)]
    unknown = [minute for minute in due if minute not in states or states[minute].state == "due"]
    missing = [MissingMinute(one, "unknown" if period.still_has(one, now) else "expired") for one in unknown]
    missing += [
        MissingMinute(minute.minute, kind, minute.at)
        for minute in states.values()
        if (kind := _kind(minute, state, now, period))
    ]
    return sorted(missing, key=lambda one: one.minute)


def overdue(missing: Iterable[MissingMinute]) -> int:
    """Return how many are neither merged nor dead nor absent."""
    return sum(one.kind in ("unknown", "unmerged") for one in missing)


def _kind(
    minute: MinuteState, state: PlanState, now: datetime, period: Period
) -> Literal["unmerged", "dead", "absent", ""]:
    trouble = trouble_of(minute.minute, minute.state, minute.at, now, counted=minute.counted)
    if trouble in ("never loaded", "never merged", "never counted"):
        return "unmerged"
    if not period.still_has(minute.minute, now):
        return ""
    if trouble == "dead":
        return "dead"
    vanishes = minute.state == "absent" and not period.still_has(minute.minute, now + _LAST_CHANCE)
    return "absent" if vanishes and minute.minute not in state.retried else ""
