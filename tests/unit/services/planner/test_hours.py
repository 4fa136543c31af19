"""A feed whose packages are hours is planned, swept and replayed like one of minutes."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.planner.figures import figures
from services.planner.missing_minutes import find_missing
from services.planner.plan import Planner
from services.planner.replay import Replayer, ReplayRequest
from services.planner.sweep import Sweeper
from shared.contracts.interfaces import LedgerRow, MinuteState
from shared.contracts.messages import MinuteRequested
from shared.contracts.minute_requests import BadRangeError
from shared.contracts.minutes import EVERY_MINUTE, HORIZON, ONE_HOUR, ONE_MINUTE, Period, manifest_name
from shared.operations.accepted_replays import AcceptedReplays
from shared.operations.coverage import planner_problems
from shared.operations.health import STALE_AFTER
from shared.operations.planner_state import PlanState, PlanStateStore
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket, MemoryHistory, MemoryLedger, MemoryPublisher

FEED = "threat_lists"
HOURS = Period(ONE_HOUR, timedelta(minutes=120))
KEPT = replace(HOURS, is_kept=True)
# The largest that the setting takes.
_LARGEST = HORIZON // ONE_MINUTE - 62


class Harness:
    """A planner and a sweeper with fakes; their clock begins at noon."""

    def __init__(self, plan_back: int = 0, period: Period = HOURS) -> None:
        self.bucket, self.publisher, self.ledger, self.clock = (
            MemoryBucket(),
            MemoryPublisher(),
            MemoryLedger(),
            Clock(),
        )
        self.store = PlanStateStore(self.bucket)
        self.planner = Planner(
            store=self.store,
            bucket=self.bucket,
            publisher=self.publisher,
            ledger=lambda: self.ledger,
            now=self.clock,
            plan_back=timedelta(minutes=plan_back),
            period=lambda _: period,
        )
        self.sweeper = Sweeper(
            store=self.store,
            bucket=self.bucket,
            publisher=self.publisher,
            ledger=lambda: self.ledger,
            history=lambda: MemoryHistory(None),
            now=self.clock,
            period=lambda _: period,
        )

    def state(self) -> PlanState:
        """Return the planner's state."""
        state, _ = self.store.read(FEED)
        assert state
        return state

    def sweep(self) -> list[datetime]:
        """Run the sweep, and return what it has requested."""
        self.sweeper.sweep(FEED, until=self.clock() + timedelta(minutes=1))
        return self.asked()

    def asked(self) -> list[datetime]:
        """Return and forget the hours that were published."""
        published = self.publisher.published.pop("feed-minutes", [])
        return [MinuteRequested.model_validate_json(message.body).minute for message in published]


def hour(number: int) -> datetime:
    """Return an hour of the test's day."""
    return NOON.replace(hour=number)


def test_an_hour_is_requested_once_when_it_is_due() -> None:
    """A tick every minute asks for one hour an hour, a minute after the source serves it."""
    harness = Harness()
    asked: dict[datetime, datetime] = {}
    for _ in range(181):
        harness.planner.plan(FEED)
        asked |= dict.fromkeys(harness.asked(), harness.clock())
        harness.clock.advance(minutes=1)
    assert asked == {hour(number): hour(number + 2) + timedelta(minutes=1) for number in (10, 11, 12)}


@pytest.mark.parametrize(("plan_back", "first"), [(0, None), (1, 9), (60, 9), (61, 8)])
def test_plan_back_reaches_the_hour_that_has_its_minute(plan_back: int, first: int | None) -> None:
    """PLAN_BACK is in minutes for every feed; the hour at its beginning is requested completely."""
    harness = Harness(plan_back)
    harness.planner.plan(FEED)
    assert harness.asked() == ([hour(number) for number in range(first, 10)] if first else [])


def test_missed_hours_are_made_up_and_lost_ones_are_told() -> None:
    """An outage within the retention loses nothing; a longer one only what the source has deleted."""
    harness = Harness()
    harness.planner.plan(FEED)
    harness.clock.advance(minutes=60 * 24 * 8)
    result = harness.planner.plan(FEED)
    asked = harness.asked()
    now = harness.clock()
    assert asked == list(HOURS.between(HOURS.oldest_served(now), HOURS.last_due(now)))
    assert result.skipped == 8 * 24 - len(asked)


def test_a_standstill_loses_nothing_of_a_source_that_keeps_all() -> None:
    """All hours are requested, nothing counts as lost, and until then each is known as not requested."""
    harness = Harness(period=KEPT)
    harness.planner.plan(FEED)
    first = harness.state().watermark + ONE_HOUR
    harness.clock.advance(days=30)
    now = harness.clock()
    missed = list(KEPT.between(first, KEPT.last_due(now)))
    assert list(harness.state().unrequested(now + timedelta(minutes=10), KEPT)) == missed
    result = harness.planner.plan(FEED)
    assert (harness.asked(), result.skipped, harness.state().lost) == (missed, 0, ())
    assert not list(planner_problems(FEED, harness.state(), now, KEPT))


def test_hours_older_than_a_sweep_looks_back_are_due_until_they_have_come() -> None:
    """Messages about them can be lost too, so the sweep asks again for each that the ledger does not know."""
    harness = Harness(period=KEPT)
    harness.planner.plan(FEED)
    harness.clock.advance(days=30)
    harness.planner.plan(FEED)
    missed = harness.asked()
    harness.clock.advance(minutes=11)
    assert harness.sweep() == missed
    for one in missed:
        harness.ledger.record([LedgerRow("merged", harness.clock(), FEED, one, lines=1, rows=1)])
    assert not harness.sweep()
    assert not AcceptedReplays(harness.bucket).read(FEED).replays


@pytest.mark.parametrize("period", [EVERY_MINUTE, HOURS, KEPT, replace(KEPT, availability=timedelta(minutes=75))])
@pytest.mark.parametrize("minute", [0, 1, 30, 59])
def test_the_largest_plan_back_loses_nothing_at_the_first_run(period: Period, minute: int) -> None:
    """A feed may begin before the source's oldest package by PLAN_BACK: it begins with that package."""
    harness = Harness(_LARGEST, period)
    harness.clock.advance(minutes=minute)
    result = harness.planner.plan(FEED)
    state = harness.state()
    assert (result.skipped, state.lost) == (0, ())
    assert harness.asked()[0] == state.first
    assert period.still_has(state.first, harness.clock())


def test_a_lost_state_of_a_source_that_keeps_all_begins_with_the_first_landing() -> None:
    """Neither state nor ledger has any hour: every one since the first is requested again."""
    harness = Harness(period=KEPT)
    first = NOON - timedelta(days=20)
    harness.bucket.create(manifest_name(FEED, first), b"{}")
    harness.planner.plan(FEED)
    assert harness.asked() == list(KEPT.between(first, KEPT.last_due(NOON)))


def test_a_dead_hour_of_a_replay_is_asked_for_again_for_a_week() -> None:
    """The source still has an hour of a month ago; a week after the request it is given up."""
    harness = Harness(period=KEPT)
    harness.planner.plan(FEED)
    old = NOON - timedelta(days=30)
    AcceptedReplays(harness.bucket).accept(FEED, [old], NOON)
    harness.ledger.record([LedgerRow("dead", NOON, FEED, old, error_type="attempts_spent")])
    harness.clock.advance(hours=1)
    assert old in harness.sweep()
    harness.clock.advance(days=7)
    harness.sweep()
    assert not AcceptedReplays(harness.bucket).read(FEED).replays


def test_a_sweep_asks_again_for_missing_hours_only() -> None:
    """Minutes inside an hour are no packages and are never missing."""
    harness = Harness(plan_back=180)
    harness.planner.plan(FEED)
    wanted = harness.asked()
    harness.clock.advance(minutes=11)
    harness.ledger.record([LedgerRow("merged", NOON, FEED, wanted[0], lines=1, rows=1)])
    harness.sweeper.sweep(FEED, until=harness.clock() + timedelta(minutes=1))
    assert harness.asked() == wanted[1:]


def test_a_lost_state_goes_on_behind_the_last_known_hour() -> None:
    """After a lost state planning continues with the hour after the last one in the ledger."""
    harness = Harness()
    harness.ledger.record([LedgerRow("merged", NOON, FEED, hour(7), lines=1, rows=1)])
    harness.planner.plan(FEED)
    assert harness.asked() == [hour(8), hour(9)]


def test_an_hour_in_reach_is_missing_and_an_old_one_expired() -> None:
    """The boundary is the oldest hour that the source still serves completely."""
    oldest = HOURS.oldest_served(NOON)
    state = PlanState(first=oldest - 2 * ONE_HOUR, watermark=HOURS.last_due(NOON))
    kinds = {one.minute: one.kind for one in find_missing(state, [], NOON, period=HOURS)}
    assert kinds[oldest] == "unknown"
    assert kinds[oldest - ONE_HOUR] == "expired"
    assert len(kinds) == HOURS.count(state.first, state.watermark)
    kept = find_missing(state, [], NOON, period=KEPT)
    assert {one.kind for one in kept} == {"unknown"}, "a source that keeps all has the old ones too"


def test_a_feed_of_hours_that_is_up_to_date_raises_no_alarm() -> None:
    """Just before the next merge the newest merged hour is more than two hours old, which is no alarm."""
    late = NOON + timedelta(minutes=59)
    merged = [MinuteState(HOURS.last_due(late) - ONE_HOUR, "merged", NOON, rows=1)]
    state = PlanState(first=hour(1), watermark=HOURS.last_due(late))
    assert figures(state, merged, missing=0, now=late, period=HOURS).freshness_minutes < STALE_AFTER.seconds // 60
    assert figures(state, [], missing=0, now=late, period=HOURS).freshness_minutes > STALE_AFTER.seconds // 60


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (hour(7) + timedelta(minutes=10), hour(8), "inside an hour.*: 2026-11-21T07:00:00Z"),
        (hour(7), hour(8) + timedelta(minutes=1), "inside an hour.*: 2026-11-21T08:00:00Z"),
        (hour(7), hour(10), "is not due yet: .* 120 minutes .* 2026-11-21T09:00:00Z"),
    ],
)
def test_a_range_that_names_no_hours_is_refused(first: datetime, last: datetime, reason: str) -> None:
    """The error names the hour that is meant, and nothing is published."""
    publisher = MemoryPublisher()
    with pytest.raises(BadRangeError, match=reason):
        replayer(publisher).replay(ReplayRequest(feed=FEED, first=first, last=last))
    assert not publisher.published


def test_a_replay_of_hours_asks_for_each_once() -> None:
    """Both ends are included; minutes inside the hours are not requested."""
    publisher = MemoryPublisher()
    assert replayer(publisher).replay(ReplayRequest(feed=FEED, first=hour(4), last=hour(9))) == 6


def replayer(publisher: MemoryPublisher) -> Replayer:
    """Return a replayer at noon."""
    return Replayer(
        feeds=[FEED],
        bucket=MemoryBucket(),
        publisher=publisher,
        history=lambda: MemoryHistory(None),
        now=Clock(),
        period=lambda _: HOURS,
    )
