"""Publish the minutes that are due: (watermark, now - availability - grace].

The watermark moves only after Pub/Sub holds every message. So a missed tick, a late one, two at once or a crash in
between can repeat a message and can never leave a hole.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.planner.state import PlanState, StateStore
from shared.asking import ask
from shared.minutes import ONE_MINUTE, format_minute, last_due, minutes_between, oldest_served
from shared.ports import LedgerReader, Publisher

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Planned:
    """What one run did for a feed; skipped counts minutes that the source no longer keeps."""

    published: int
    watermark: str
    skipped: int = 0


class Planner:
    """Plans one feed at a time."""

    def __init__(
        self,
        *,
        store: StateStore,
        publisher: Publisher,
        ledger: Callable[[], LedgerReader],
        now: Callable[[], datetime],
        plan_back: timedelta,
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._ledger = ledger
        self._now = now
        self._plan_back = plan_back

    def plan(self, feed: str) -> Planned:
        """Publish what is due for a feed and then save how far it got."""
        now = self._now()
        state, generation = self._store.read(feed, now)
        new = state is None
        state = state or self._begin(feed, now)
        begin = max(state.watermark + ONE_MINUTE, oldest_served(now))
        skipped = int((begin - state.watermark) / ONE_MINUTE) - 1
        if skipped:
            log.error("planner.too_late: %s lost %d minutes before %s", feed, skipped, format_minute(begin))
        last = max(last_due(now), state.watermark)
        published = ask(self._publisher, feed, minutes_between(begin, last), reason="schedule")
        if published or new:
            self._save(feed, state.model_copy(update={"watermark": last}), generation)
        return Planned(published, format_minute(last), skipped)

    def _begin(self, feed: str, now: datetime) -> PlanState:
        # A feed that the ledger knows has lost its state object: go on from what was reached, not from now.
        if known := self._ledger().states(feed, oldest_served(now), last_due(now)):
            log.warning("planner.state_lost: %s goes on from the ledger", feed)
            return PlanState(first=known[0].minute, watermark=known[-1].minute)
        return PlanState.beginning(last_due(now) - self._plan_back)

    def _save(self, feed: str, state: PlanState, generation: int) -> None:
        if not self._store.save(feed, state, generation):
            # Another plan published the same minutes, or a sweep kept the watermark for the next plan to begin at;
            # either way messages are only repeated.
            log.warning("planner.overtaken: another run saved the state of %s first", feed)
