"""Ask again for what is missing, so that no lost message, crash or outage leaves a hole.

The ledger is the account: a minute that is past due and not in it is asked for again; a landing that was never loaded,
or never merged, or of whose lines a ledger restored from yesterday has no account, is announced again from its
manifest; a minute that is dead only because its attempts were spent is tried once more, and so is an absent one before
the source forgets it. Each minute has its own growing spacing, so that a long outage does not multiply messages.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from services.planner.figures import figures
from services.planner.state import Asked, PlanState, StateStore
from shared.asking import ask
from shared.dead_letters import ATTEMPTS_SPENT
from shared.manifests import read_manifest
from shared.messages import MINUTES_LANDED, MinuteLanded
from shared.minutes import last_due, minutes_between, oldest_served
from shared.outcomes import Misconfigured
from shared.ports import Bucket, LedgerReader, MinuteState, Outgoing, Publisher

# What is on its way is not missing yet.
_PAST_DUE = timedelta(minutes=10)
# A load takes seconds; a merge comes every 30 minutes, and one of them may fail.
_LOAD_OVERDUE = timedelta(minutes=10)
_MERGE_OVERDUE = timedelta(minutes=75)
# Before the source forgets a minute that it did not have, it is asked once more.
_LAST_CHANCE = timedelta(hours=6)

# A plan saves once a minute, so that the second try meets nobody.
_MOST_SAVES = 5

log = logging.getLogger(__name__)


@dataclass
class Missing:
    """The minutes of a feed that need another push: ask the source, announce the landing, or try one last time."""

    unknown: list[datetime] = field(default_factory=list)
    unmerged: list[datetime] = field(default_factory=list)
    dead: list[datetime] = field(default_factory=list)
    absent: list[datetime] = field(default_factory=list)

    def once_more(self) -> Iterable[datetime]:
        """Return those that are asked for one last time."""
        return (*self.dead, *self.absent)

    def minutes(self) -> Iterable[datetime]:
        """Return all of them."""
        return (*self.unknown, *self.unmerged, *self.once_more())


@dataclass(frozen=True)
class Swept:
    """What one sweep did for a feed, in minutes."""

    missing: int
    asked: int
    announced: int


def find_missing(state: PlanState, known: Iterable[MinuteState], now: datetime) -> Missing:
    """Compare what should be there by now with what the ledger knows."""
    states = {minute.minute: minute for minute in known}
    last = min(state.watermark, last_due(now - _PAST_DUE))
    missing = Missing()
    for minute in minutes_between(max(state.first, oldest_served(now)), last):
        if minute not in states:
            missing.unknown.append(minute)
    for known_minute in states.values():
        if _overdue(known_minute, now):
            missing.unmerged.append(known_minute.minute)
        elif known_minute.minute not in state.retried and _is_spent(known_minute):
            missing.dead.append(known_minute.minute)
        elif known_minute.minute not in state.retried and _is_about_to_vanish(known_minute, now):
            missing.absent.append(known_minute.minute)
    return missing


def _overdue(minute: MinuteState, now: datetime) -> bool:
    patience = {"landed": _LOAD_OVERDUE, "loaded": _MERGE_OVERDUE}.get(minute.state)
    if not minute.counted:
        # Merged, and the ledger was restored between load and merge: the loader counts again and finds nothing to load.
        patience = _LOAD_OVERDUE
    return patience is not None and now - minute.at > patience


def _is_spent(minute: MinuteState) -> bool:
    return minute.state == "dead" and (minute.reason or "").startswith(ATTEMPTS_SPENT)


def _is_about_to_vanish(minute: MinuteState, now: datetime) -> bool:
    return minute.state == "absent" and minute.minute < oldest_served(now) + _LAST_CHANCE


class Sweeper:
    """Sweeps one feed at a time."""

    def __init__(
        self,
        *,
        store: StateStore,
        bucket: Bucket,
        publisher: Publisher,
        ledger: Callable[[], LedgerReader],
        now: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._publisher = publisher
        self._ledger = ledger
        self._now = now

    def sweep(self, feed: str) -> Swept:
        """Ask for what is missing and due to be asked for, then save what was asked."""
        now = self._now()
        state, generation = self._store.read(feed, now)
        if state is None:
            return Swept(0, 0, 0)
        known = self._ledger().states(feed, oldest_served(now), last_due(now))
        missing = find_missing(state, known, now)
        asked = {entry.minute: entry for entry in state.asked}
        chosen = {minute for minute in missing.minutes() if minute not in asked or asked[minute].is_due(now)}
        swept = self._push(feed, missing, chosen)
        if chosen or asked:
            self._save(feed, state, generation, lambda newest: _remember(newest, missing, chosen, now))
        found = figures(state, known, missing=len(missing.unknown) + len(missing.unmerged), now=now)
        log.info("planner.sweep: %s %s", feed, asdict(swept), extra={"figures": asdict(found)})
        return swept

    def _save(
        self, feed: str, state: PlanState | None, generation: int, remember: Callable[[PlanState], PlanState]
    ) -> None:
        """Save what was asked for beside what a plan has saved meanwhile: their schedules begin at the same second."""
        for _ in range(_MOST_SAVES):
            if state is None or self._store.save(feed, remember(state), generation):
                return
            state, generation = self._store.read(feed, self._now())
        # The next sweep asks for the same minutes again; messages are only repeated.
        log.warning("planner.sweep_overtaken: other runs saved the state of %s first", feed)

    def _push(self, feed: str, missing: Missing, chosen: set[datetime]) -> Swept:
        requests = [minute for minute in (*missing.unknown, *missing.once_more()) if minute in chosen]
        announced = self._announce(feed, [minute for minute in missing.unmerged if minute in chosen])
        asked = ask(self._publisher, feed, sorted(requests), reason="sweep")
        return Swept(len(list(missing.minutes())), asked, announced)

    def _announce(self, feed: str, minutes: Iterable[datetime]) -> int:
        landed = [manifest for minute in minutes if (manifest := self._manifest(feed, minute))]
        return self._publisher.publish(
            MINUTES_LANDED, [Outgoing(message.body(), message.attributes()) for message in landed]
        )

    def _manifest(self, feed: str, minute: datetime) -> MinuteLanded | None:
        try:
            return read_manifest(self._bucket, feed, minute)
        except Misconfigured as error:
            # One spoilt object must not keep the feed's other minutes from being mended.
            log.error("planner.manifest_unreadable: %s", error)
            return None


def _remember(state: PlanState, missing: Missing, chosen: set[datetime], now: datetime) -> PlanState:
    before = {entry.minute: entry for entry in state.asked}
    asked = []
    for minute in sorted(missing.minutes()):
        if minute in chosen:
            known = before.get(minute)
            asked.append(known.again(now) if known else Asked(minute=minute, times=1, last=now))
        elif minute in before:
            asked.append(before[minute])
    retried = {minute for minute in state.retried if minute >= oldest_served(now)} | (set(missing.once_more()) & chosen)
    return state.model_copy(update={"asked": tuple(asked), "retried": tuple(sorted(retried))})
