"""Compare the bucket with ledger and history: the manifests are the commit record, whatever their age."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta

from shared.contracts.interfaces import Bucket, HistoryReader, LedgerReader, MinuteState
from shared.contracts.manifests import FIRST_DAY, landed_minutes, next_landed_day
from shared.contracts.minutes import ONE_MINUTE, history_holds
from shared.operations.health import LOAD_OVERDUE, trouble_of

_ONE_DAY = timedelta(days=1)


class Archive:
    """The landed minutes of a bucket, day by day."""

    def __init__(
        self,
        bucket: Bucket,
        ledger: Callable[[], LedgerReader],
        history: Callable[[], HistoryReader],
        now: Callable[[], datetime],
    ) -> None:
        self._bucket = bucket
        self._ledger = ledger
        self._history = history
        self._now = now

    def next_day(self, feed: str, day: date) -> date | None:
        """Return the first day, from a day on, with objects whose rows history would keep; None if there is none."""
        now = self._now()
        found = next_landed_day(self._bucket, feed, max(day, self._first_kept(feed, now)))
        return found if found and found <= now.date() else None

    def lost(self, feed: str, day: date) -> list[datetime]:
        """Return the landed minutes of a day that the ledger or history does not have.

        Those with a dead letter are an operator's. One listing and two narrow queries of one partition each.
        """
        landed = landed_minutes(self._bucket, feed, day)
        if not landed:
            return []
        first = datetime.combine(day, time(), UTC)
        last = first + _ONE_DAY - ONE_MINUTE
        states = {one.minute: one for one in self._ledger().states(feed, first, last)}
        rows = self._history().rows(feed, first, last)
        now = self._now()
        return [
            minute
            for minute, created in sorted(landed.items())
            # A younger one may not have reached the ledger yet.
            if now - created > LOAD_OVERDUE and _is_lost(states.get(minute), rows.get(minute, 0), now)
        ]

    def _first_kept(self, feed: str, now: datetime) -> date:
        days = self._history().days(feed)
        if days is None:
            return FIRST_DAY
        day = now.date() - timedelta(days=days)
        return day if history_holds(datetime.combine(day, time(), UTC), days, now) else day + _ONE_DAY


def _is_lost(state: MinuteState | None, rows: int, now: datetime) -> bool:
    if state is None or state.state in ("due", "absent"):
        return True
    if state.state == "merged":
        return rows < (state.rows or 0)
    return trouble_of(state.minute, state.state, state.at, now) in ("never loaded", "never merged")
