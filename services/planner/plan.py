"""Publish the minutes that are due: (watermark, now - availability - grace].

The watermark moves only after Pub/Sub has accepted every message. So a missed, late or concurrent run or a crash can
repeat messages but never leave a gap.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from shared.contracts.interfaces import Bucket, Ledger, LedgerRow, Publisher
from shared.contracts.manifests import FIRST_DAY, landed_minutes, next_landed_day
from shared.contracts.minute_requests import ask
from shared.contracts.minutes import Period, format_minute
from shared.feeds.definition import period_of
from shared.operations.accepted_replays import AcceptedReplays
from shared.operations.planner_state import PlanState, PlanStateStore

_EVER = datetime(1970, 1, 1, tzinfo=UTC)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlanResult:
    """The result of one run for a feed; skipped counts minutes past the source's retention."""

    published: int
    watermark: str
    skipped: int = 0


class Planner:
    """Plans one feed at a time."""

    def __init__(
        self,
        *,
        store: PlanStateStore,
        bucket: Bucket,
        publisher: Publisher,
        ledger: Callable[[], Ledger],
        now: Callable[[], datetime],
        plan_back: timedelta,
        period: Callable[[str], Period] = period_of,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._replays = AcceptedReplays(bucket)
        self._publisher = publisher
        self._ledger = ledger
        self._now = now
        self._plan_back = plan_back
        self._period = period

    def plan(self, feed: str) -> PlanResult:
        """Publish what is due for a feed and then save the watermark."""
        now, period = self._now(), self._period(feed)
        state, generation = self._store.read_to_plan(feed, now)
        new = state is None
        state = state or self._begin(feed, now, period)
        begin = period.first_had(state.watermark + period.length, now)
        if skipped := period.count(state.watermark, begin) - 2:
            log.error("planner.too_late: %s lost %d %ss before %s", feed, skipped, period.name, format_minute(begin))
        last = max(period.last_due(now), state.watermark)
        # The sweep looks back a few days. Older packages of a source that keeps them are due as those of a replay are.
        self._replays.accept(feed, period.between(begin, min(last, period.oldest_served(now) - period.length)), now)
        published = ask(self._publisher, feed, period.between(begin, last), reason="schedule")
        if published or new:
            self._save(feed, state.advanced(last, now, period), generation)
        return PlanResult(published, format_minute(last), skipped)

    def _begin(self, feed: str, now: datetime, period: Period) -> PlanState:
        """Return the state of a feed that has none: a new one, or one that was lost and is rebuilt.

        The ledger has the first minute, and failing that the bucket its first landing. Minutes between that and the
        last one that the ledger knows are left to the sweep, which finds those that are missing.
        """
        last = period.last_due(now)
        origin = self._ledger().origin(feed, _EVER, last)
        first = origin.planned or origin.first or self._first_landed(feed)
        if first is None or first > last:
            begin = period.floor(last - self._plan_back) + period.length
            state = PlanState.beginning(period.first_had(begin, now) - period.length, period)
            self._ledger().record([LedgerRow("planned", now, feed, state.first)])
            return state
        log.warning("planner.state_lost: %s continues from %s", feed, format_minute(origin.last or first))
        unknown = period.first_had(first, now) - period.length
        return PlanState(first=first, watermark=origin.last or unknown)

    def _first_landed(self, feed: str) -> datetime | None:
        day = next_landed_day(self._bucket, feed, FIRST_DAY)
        return min(landed_minutes(self._bucket, feed, day), default=None) if day else None

    def _save(self, feed: str, state: PlanState, generation: int) -> None:
        if not self._store.save(feed, state, generation):
            # Another plan published the same minutes, or a sweep kept the watermark for the next plan to begin at;
            # either way messages are only repeated.
            log.warning("planner.overtaken: another run saved the state of %s first", feed)
