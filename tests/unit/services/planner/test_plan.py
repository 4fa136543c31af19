"""The planner publishes due minutes, and no failure leaves a gap."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.missing_minutes import find_missing
from services.planner.plan import Planner
from shared.contracts.interfaces import LedgerRow
from shared.contracts.messages import MinuteRequested
from shared.contracts.minutes import EVERY_MINUTE, ONE_MINUTE, last_due, manifest_name, minutes_between
from shared.contracts.outcomes import Misconfigured, Retryable
from shared.operations.coverage import planner_problems
from shared.operations.planner_state import PlanStateStore
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket, MemoryLedger, MemoryPublisher

STATE = "state/planner/domains.json"


class PlannerHarness:
    """A planner with fakes."""

    def __init__(self, plan_back: int = 0) -> None:
        self.bucket = MemoryBucket()
        self.publisher = MemoryPublisher()
        self.ledger = MemoryLedger()
        self.clock = Clock()
        self.store = PlanStateStore(self.bucket)
        self.planner = Planner(
            store=self.store,
            bucket=self.bucket,
            publisher=self.publisher,
            ledger=lambda: self.ledger,
            now=self.clock,
            plan_back=timedelta(minutes=plan_back),
        )

    def tick(self) -> int:
        """Run once and return how many minutes were published."""
        return self.planner.plan("domains").published

    def missing(self) -> list[datetime]:
        """Return the minutes that a sweep would miss if the ledger were empty."""
        state, _ = self.store.read("domains")
        assert state
        return [one.minute for one in find_missing(state, [], self.clock())]

    def minutes(self) -> list[datetime]:
        """Return the minutes that were published, in order."""
        published = self.publisher.published["feed-minutes"]
        return [MinuteRequested.model_validate_json(message.body).minute for message in published]


def test_the_first_run_begins_at_the_newest_minute_that_can_be_there() -> None:
    """Without PLAN_BACK nothing is published yet; from then on every minute is."""
    harness = PlannerHarness()
    assert harness.tick() == 0
    harness.clock.advance(minutes=1)
    assert harness.tick() == 1
    assert harness.minutes() == [NOON - timedelta(minutes=60)]


def test_plan_back_counts_minutes() -> None:
    """The first run publishes exactly PLAN_BACK minutes up to the newest due one."""
    harness = PlannerHarness(plan_back=30)
    assert harness.tick() == 30
    newest = NOON - timedelta(minutes=61)
    assert harness.minutes() == list(minutes_between(newest - timedelta(minutes=29), newest))
    state, _ = harness.store.read("domains")
    assert state
    first = newest - timedelta(minutes=29)
    assert (state.first, state.watermark) == (first, newest)


def test_a_minute_that_was_requested_late_is_not_missing_at_once() -> None:
    """After a start with PLAN_BACK, or hours without a run, a minute is missing ten minutes after its request."""
    harness = PlannerHarness(plan_back=30)
    harness.tick()
    first = harness.minutes()
    assert harness.missing() == []
    harness.clock.advance(minutes=10, seconds=1)
    assert harness.missing() == first
    harness.clock.advance(hours=9)
    assert harness.tick() > 9 * 60
    assert harness.missing() == first
    harness.clock.advance(minutes=10, seconds=1)
    assert harness.missing() == harness.minutes()
    harness.tick()
    state, _ = harness.store.read("domains")
    assert state
    assert [late.first for late in state.late] == [], "what no longer matters is forgotten"


def test_a_second_run_in_the_same_minute_publishes_nothing() -> None:
    """Minutes up to the watermark are not published again."""
    harness = PlannerHarness(plan_back=5)
    harness.tick()
    assert harness.tick() == 0


def test_missed_ticks_are_made_up() -> None:
    """After an outage of hours the next run publishes every minute in between."""
    harness = PlannerHarness()
    harness.tick()
    harness.clock.advance(hours=5)
    assert harness.tick() == 300


def test_beyond_the_sources_seven_days_is_clamped_and_reported() -> None:
    """Minutes that the source no longer keeps are counted as skipped; the rest is published."""
    harness = PlannerHarness()
    harness.tick()
    harness.clock.advance(days=8)
    planned = harness.planner.plan("domains")
    assert planned.published == 7 * 1440 - 61
    assert planned.skipped == 8 * 1440 - planned.published


def test_what_a_standstill_has_lost_is_kept_for_a_week() -> None:
    """Status names it as long as the minutes that came after it; a later standstill is added."""
    harness = PlannerHarness()
    harness.tick()
    before = harness.store.read("domains")[0]
    harness.clock.advance(days=8)
    lost = harness.planner.plan("domains").skipped
    state = harness.store.read("domains")[0]
    assert before
    assert state
    [one] = state.lost
    assert (one.first, one.at) == (before.watermark + ONE_MINUTE, harness.clock())
    assert EVERY_MINUTE.count(one.first, one.last) == lost
    [problem] = planner_problems("domains", state, harness.clock())
    assert f"the source has deleted {lost} minutes" in problem.text
    harness.clock.advance(days=7)
    harness.tick()
    harness.clock.advance(minutes=1)
    harness.tick()
    state = harness.store.read("domains")[0]
    assert state
    assert [entry.at for entry in state.lost] == [harness.clock() - ONE_MINUTE]


def test_a_crash_between_publish_and_save_repeats_and_never_skips() -> None:
    """If the state was not saved, the next run publishes the same minutes again."""
    harness = PlannerHarness(plan_back=3)
    harness.tick()
    before = harness.bucket.objects[STATE]
    harness.clock.advance(minutes=2)
    harness.tick()
    harness.bucket.objects[STATE] = before
    harness.tick()
    assert sorted(set(harness.minutes())) == list(minutes_between(harness.minutes()[0], last_due(harness.clock())))


def test_a_publish_that_fails_moves_nothing() -> None:
    """If Pub/Sub refuses the messages, the watermark stays and the next run publishes them."""
    harness = PlannerHarness()
    harness.tick()
    harness.clock.advance(minutes=4)
    harness.publisher.fail_with = Retryable("no Pub/Sub")
    with pytest.raises(Retryable):
        harness.tick()
    harness.publisher.fail_with = None
    assert harness.tick() == 4


def test_two_runs_at_once_repeat_and_never_skip() -> None:
    """The slower of two runs does not move the watermark back, and the next run continues from the faster one."""
    harness = PlannerHarness()
    harness.tick()
    harness.clock.advance(minutes=3)
    state, generation = harness.store.read("domains")
    harness.tick()
    assert state
    assert not harness.store.save("domains", state, generation)
    harness.clock.advance(minutes=1)
    assert harness.tick() == 1


def test_a_lost_state_object_goes_on_from_the_ledger() -> None:
    """Without the state, planning continues after the newest minute in the ledger."""
    harness = PlannerHarness(plan_back=10)
    harness.tick()
    first = harness.minutes()[0]
    harness.ledger.record([LedgerRow("merged", NOON, "domains", first + timedelta(minutes=at)) for at in range(6)])
    harness.bucket.delete(STATE)
    assert harness.tick() == 4
    state, _ = harness.store.read("domains")
    assert state
    assert state.first == first


def test_a_lost_state_object_costs_no_known_gap() -> None:
    """The feed's first minute is in the ledger, so no missing minute is forgotten, however old."""
    harness = PlannerHarness(plan_back=10)
    harness.tick()
    first = harness.minutes()[0]
    harness.clock.advance(days=3)
    harness.tick()
    newest = last_due(harness.clock())
    harness.ledger.record([LedgerRow("merged", NOON, "domains", newest - timedelta(minutes=5))])
    harness.bucket.delete(STATE)
    assert harness.tick() == 5
    state, _ = harness.store.read("domains")
    assert state
    assert (state.first, state.watermark) == (first, newest)
    assert len(find_missing(state, harness.ledger.states("domains", first, newest), harness.clock())) > 4000


def test_a_lost_ledger_and_state_object_begin_at_the_first_landing() -> None:
    """Landed minutes are planned again as far back as the source keeps them; the sweep finds older ones."""
    harness = PlannerHarness()
    landed = NOON - timedelta(days=30)
    harness.bucket.create(manifest_name("domains", landed), b"{}")
    assert harness.tick() == 7 * 1440 - 61
    state, _ = harness.store.read("domains")
    assert state
    assert (state.first, state.watermark) == (landed, last_due(NOON))


def test_a_ledger_minute_ahead_of_the_clock_moves_nothing() -> None:
    """Only due minutes count for the watermark."""
    harness = PlannerHarness(plan_back=10)
    harness.tick()
    harness.ledger.record([LedgerRow("merged", NOON, "domains", NOON + timedelta(days=9))])
    harness.bucket.delete(STATE)
    assert harness.tick() == 10


def test_a_clock_that_goes_back_publishes_nothing_and_keeps_the_watermark() -> None:
    """If the clock jumps back an hour, minutes are not planned again."""
    harness = PlannerHarness(plan_back=10)
    harness.tick()
    before = harness.bucket.objects[STATE].data
    harness.clock.advance(hours=-1)
    assert harness.tick() == 0
    assert harness.bucket.objects[STATE].data == before


@pytest.mark.parametrize(
    "spoilt",
    [
        b'{"first": 5}',
        b'{"first":"2026-11-21T10:00Z","watermark":"9999-12-31T23:59Z"}',
        b'{"first":"2026-11-21T10:00Z","watermark":"2026-11-22T13:00Z"}',
        b'{"first":"2026-11-21T10:00Z","watermark":"2026-11-21T10:00Z","asked":[{"minute":"2026-11-21T10:00Z","times":0}]}',
    ],
)
def test_a_state_object_that_cannot_be_right_says_what_to_do(spoilt: bytes) -> None:
    """The error has the object, the problem and the remedy; a watermark days ahead would stop the feed for days."""
    harness = PlannerHarness()
    harness.bucket.create(STATE, spoilt)
    with pytest.raises(Misconfigured, match=r"gs://landing/state/planner/domains.json .* delete it"):
        harness.tick()


@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.sampled_from(["saved", "publish fails", "not saved"])),
        min_size=1,
        max_size=12,
    )
)
def test_no_schedule_of_ticks_and_failures_leaves_a_hole(ticks: list[tuple[int, str]]) -> None:
    """For any gaps between runs and any failures, one good run at the end has published every minute."""
    harness = PlannerHarness(plan_back=2)
    for wait, outcome in [(0, "saved"), *ticks, (1, "saved")]:
        harness.clock.advance(minutes=wait)
        before = harness.bucket.objects.get(STATE)
        harness.publisher.fail_with = Retryable("no Pub/Sub") if outcome == "publish fails" else None
        try:
            harness.tick()
        except Retryable:
            continue
        if outcome == "not saved" and before:
            harness.bucket.objects[STATE] = before
    first = last_due(NOON) - timedelta(minutes=1)
    assert sorted(set(harness.minutes())) == list(minutes_between(first, last_due(harness.clock())))
