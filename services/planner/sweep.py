"""Request what is missing again, so that no lost message, crash or outage leaves a gap.

The sweep compares with the ledger. A minute that is past due and not in the ledger is requested again. A landing that
was never loaded, never merged or never counted (after the ledger was restored from a backup) is republished from its
manifest, or requested from the source if the manifest is gone. A dead minute is requested as long as the source serves
it, and an absent one once before the source's retention ends. Each minute has its own backoff, so that a long outage
does not multiply messages.

What was asked for by a replay is due like what was planned, wherever it lies. And the bucket is compared: a day a run,
from the oldest on, the manifests with ledger and history; what they have lost is announced again.

A run works in batches, oldest first, and saves its requests after each batch; it ends with its time slot. So a week's
outage takes several runs, and an interrupted run repeats messages but leaves no gap.
"""

import logging
from collections.abc import Callable, Iterable, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from services.planner.archive import Archive
from services.planner.figures import fields_of, figures
from services.planner.missing_minutes import MissingMinute, begin_of_interest, find_missing, overdue
from services.planner.replayed_minutes import close_finished, copy_into_ledger
from shared.contracts.interfaces import (
    Bucket,
    HistoryReader,
    Ledger,
    LedgerRow,
    MinuteState,
    Publisher,
)
from shared.contracts.manifests import FIRST_DAY, read_manifest
from shared.contracts.messages import MinuteLanded
from shared.contracts.minute_requests import ask
from shared.contracts.minutes import Period, oldest_served
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import period_of
from shared.operations.accepted_replays import AcceptedReplays
from shared.operations.feed_conditions import FeedConditions
from shared.operations.planner_state import ArchiveCheck, PlanState, PlanStateStore

# Cloud Storage allows one write per second and object, and a batch takes about a second.
_BATCH = 500
_READERS = 16
# The planner saves once a minute, so a second attempt normally succeeds.
_MAX_SAVES = 5
# Between two comparisons of the whole bucket, unless minutes are missing.
_ARCHIVE_REST = timedelta(hours=1)
_ONE_DAY = timedelta(days=1)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SweepResult:
    """The result of one sweep for a feed, in minutes; left are those that it had no time for.

    recovered are landings that were published again because ledger or history did not have them.
    """

    missing: int = 0
    asked: int = 0
    announced: int = 0
    left: int = 0
    recovered: int = 0


class Sweeper:
    """Sweeps one feed at a time."""

    def __init__(
        self,
        *,
        store: PlanStateStore,
        bucket: Bucket,
        publisher: Publisher,
        ledger: Callable[[], Ledger],
        history: Callable[[], HistoryReader],
        now: Callable[[], datetime],
        period: Callable[[str], Period] = period_of,
    ) -> None:
        self._store = store
        self._bucket = bucket
        self._replays = AcceptedReplays(bucket)
        self._archive = Archive(bucket, ledger, history, now)
        self._conditions = FeedConditions(bucket)
        self._publisher = publisher
        self._ledger = ledger
        self._now = now
        self._period = period

    def sweep(self, feed: str, *, until: datetime) -> SweepResult:
        """Publish messages for missing minutes that are due, in batches, until a deadline; save after each batch."""
        now, period = self._now(), self._period(feed)
        state, _ = self._store.read_to_plan(feed, now)
        if state is None:
            return SweepResult()
        opened = self._replays.read(feed)
        known = self._ledger().states(feed, *opened.reach(begin_of_interest(now, period), period.last_due(now)))
        copy_into_ledger(self._ledger(), feed, opened.minutes(), known)
        close_finished(self._replays, opened, known, now, period)
        missing = find_missing(state, known, now, opened.minutes(), period)
        swept = self._repair(feed, state, missing, known, until)
        recovered = self._compare_archive(feed, state, {one.minute for one in missing}, until)
        return replace(swept, recovered=recovered)

    def _repair(
        self,
        feed: str,
        state: PlanState,
        missing: Sequence[MissingMinute],
        known: Sequence[MinuteState],
        until: datetime,
    ) -> SweepResult:
        now, period = self._now(), self._period(feed)
        asked = {entry.minute: entry for entry in state.asked}
        chosen = [one for one in missing if one.is_due(asked.get(one.minute), now)]
        probe: list[datetime] = []
        condition = self._conditions.read(feed)
        if condition and condition.blocks:
            # The source gives nothing. One minute probes for the end of the condition; then all are requested.
            chosen = [one for one in chosen if one.kind in ("unmerged", "expired")]
            probe = [one.minute for one in missing if one.kind == "unknown"][-1:]
        if asked and not chosen:
            self._save(feed, partial(_remember, missing=missing, batch=[], now=now))
        probed = ask(self._publisher, feed, probe, reason="sweep") if probe else 0
        swept = self._push_all(feed, missing, chosen, until, probed)
        served = [one for one in known if one.minute >= period.oldest_served(now)]
        found = figures(state, served, missing=overdue(missing), now=now, period=period)
        log.info("planner.sweep: %s %s", feed, asdict(swept), extra={"fields": fields_of(condition, found)})
        return swept

    def _compare_archive(self, feed: str, state: PlanState, missing: Set[datetime], until: datetime) -> int:
        """Publish the landings of a day that ledger or history has lost; continue with the next day if there were any.

        Missing minutes have their own backoff.
        """
        now = self._now()
        check = state.archive or ArchiveCheck(began=now, next=FIRST_DAY)
        if check.next is None and (missing or now - check.began >= _ARCHIVE_REST):
            check = ArchiveCheck(began=now, next=FIRST_DAY)
        if check.next == FIRST_DAY:
            self._keep_first(feed, state)
        recovered = 0
        while check.next and self._now() < until:
            day = self._archive.next_day(feed, check.next)
            lost = self._archive.lost(feed, day) if day else []
            landed = self._manifests(feed, [minute for minute in lost if minute not in missing])
            recovered += self._publisher.publish(*(one for one in landed if isinstance(one, MinuteLanded)))
            check = check.model_copy(update={"next": day + _ONE_DAY if day else None})
            self._save(feed, partial(PlanState.model_copy, update={"archive": check}))
            if not lost:
                break
        if recovered:
            log.warning("planner.recovered: %d landings of %s that ledger or history had lost", recovered, feed)
        return recovered

    def _keep_first(self, feed: str, state: PlanState) -> None:
        """Record the feed's first minute in the ledger too, from which a lost state is rebuilt."""
        if self._ledger().origin(feed, state.first, state.first).planned is None:
            self._ledger().record([LedgerRow("planned", self._now(), feed, state.first)])

    def _push_all(
        self, feed: str, missing: Sequence[MissingMinute], chosen: Sequence[MissingMinute], until: datetime, asked: int
    ) -> SweepResult:
        announced, rest = 0, iter(chosen)
        left = len(chosen)
        while left and self._now() < until:
            batch = list(islice(rest, _BATCH))
            requests, landed = self._divide(feed, batch)
            announced += self._publisher.publish(*landed)
            asked += ask(self._publisher, feed, requests, reason="sweep")
            self._save(feed, partial(_remember, missing=missing, batch=batch, now=self._now()))
            left -= len(batch)
        return SweepResult(len(missing), asked, announced, left)

    def _divide(self, feed: str, batch: Iterable[MissingMinute]) -> tuple[list[datetime], list[MinuteLanded]]:
        """Return the minutes to request from the source, and the landings to republish from their manifests."""
        unmerged = [one.minute for one in batch if one.kind == "unmerged"]
        manifests = self._manifests(feed, unmerged)
        gone = {minute for minute, manifest in zip(unmerged, manifests, strict=True) if manifest is None}
        requests = [one.minute for one in batch if one.kind != "unmerged" or one.minute in gone]
        return requests, [manifest for manifest in manifests if isinstance(manifest, MinuteLanded)]

    def _manifests(self, feed: str, minutes: Sequence[datetime]) -> list[MinuteLanded | Misconfigured | None]:
        # A message is the manifest's content, so each is read; concurrently, because each waits for the network.
        readers = ThreadPoolExecutor(_READERS)
        try:
            return list(readers.map(lambda minute: self._manifest(feed, minute), minutes))
        finally:
            readers.shutdown(wait=False, cancel_futures=True)

    def _manifest(self, feed: str, minute: datetime) -> MinuteLanded | Misconfigured | None:
        try:
            return read_manifest(self._bucket, feed, minute)
        except Misconfigured as error:
            # One corrupt object must not block the repair of the feed's other minutes.
            log.error("planner.manifest_unreadable: %s", error)
            return error

    def _save(self, feed: str, change: Callable[[PlanState], PlanState]) -> None:
        """Apply a change to the state that the planner has saved meanwhile: both schedules start at the same second."""
        now = self._now()
        for _ in range(_MAX_SAVES):
            state, generation = self._store.read_to_plan(feed, now)
            if state is None or self._store.save(feed, change(state), generation):
                return
        # The next sweep requests the same minutes again; messages are only repeated.
        log.warning("planner.sweep_overtaken: other runs saved the state of %s first", feed)


def _remember(
    state: PlanState, missing: Sequence[MissingMinute], batch: Sequence[MissingMinute], now: datetime
) -> PlanState:
    """Return the state with the batch's requests added, and without what is no longer missing."""
    still = {one.minute for one in missing}
    asked = {entry.minute: entry for entry in state.asked if entry.minute in still}
    for one in batch:
        asked[one.minute] = one.asked(asked.get(one.minute), now)
    retried = {minute for minute in state.retried if minute >= oldest_served(now)}
    retried |= {one.minute for one in batch if one.kind == "absent"}
    return state.model_copy(
        update={"asked": tuple(asked[minute] for minute in sorted(asked)), "retried": tuple(sorted(retried))}
    )
