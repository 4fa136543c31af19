"""The planner publishes what is due, and no failure leaves a hole."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.plan import Planner
from services.planner.state import PlanState, StateStore
from shared.memory import MemoryBucket, MemoryLedger, MemoryPublisher
from shared.messages import MinuteRequested
from shared.minutes import last_due, minutes_between
from shared.outcomes import Misconfigured, Retryable
from shared.ports import LedgerRow
from tests.doubles import NOON, Clock

STATE = "state/planner/domains.json"


class House:
    """A planner among doubles."""

    def __init__(self, plan_back: int = 0) -> None:
        self.bucket = MemoryBucket()
        self.publisher = MemoryPublisher()
        self.ledger = MemoryLedger()
        self.clock = Clock()
        self.store = StateStore(self.bucket)
        self.planner = Planner(
            store=self.store,
            publisher=self.publisher,
            ledger=lambda: self.ledger,
            now=self.clock,
            plan_back=timedelta(minutes=plan_back),
        )

    def tick(self) -> int:
        """Run once and return how many minutes were published."""
        return self.planner.plan("domains").published

    def minutes(self) -> list[datetime]:
        """Return the minutes that were published, in order."""
        published = self.publisher.published["feed-minutes"]
        return [MinuteRequested.model_validate_json(message.body).minute for message in published]


def test_the_first_run_begins_at_the_newest_minute_that_can_be_there() -> None:
    """Without PLAN_BACK nothing is published yet; from then on each minute is."""
    house = House()
    assert house.tick() == 0
    house.clock.advance(minutes=1)
    assert house.tick() == 1
    assert house.minutes() == [NOON - timedelta(minutes=60)]


def test_plan_back_counts_minutes() -> None:
    """The first run publishes exactly PLAN_BACK minutes, the newest being availability and grace old."""
    house = House(plan_back=30)
    assert house.tick() == 30
    newest = NOON - timedelta(minutes=61)
    assert house.minutes() == list(minutes_between(newest - timedelta(minutes=29), newest))
    state, _ = house.store.read("domains", house.clock())
    assert state == PlanState(first=newest - timedelta(minutes=29), watermark=newest)


def test_a_second_run_in_the_same_minute_publishes_nothing() -> None:
    """What is below the watermark is not published again."""
    house = House(plan_back=5)
    house.tick()
    assert house.tick() == 0


def test_missed_ticks_are_made_up() -> None:
    """After an outage of hours the next run publishes every minute in between."""
    house = House()
    house.tick()
    house.clock.advance(hours=5)
    assert house.tick() == 300


def test_beyond_the_sources_seven_days_is_clamped_and_reported() -> None:
    """Minutes that the source no longer keeps are counted as skipped, the rest is published."""
    house = House()
    house.tick()
    house.clock.advance(days=8)
    planned = house.planner.plan("domains")
    assert planned.published == 7 * 1440 - 61
    assert planned.skipped == 8 * 1440 - planned.published


def test_a_crash_between_publish_and_save_repeats_and_never_skips() -> None:
    """The state that was not saved makes the next run publish the same minutes again."""
    house = House(plan_back=3)
    house.tick()
    before = house.bucket.objects[STATE]
    house.clock.advance(minutes=2)
    house.tick()
    house.bucket.objects[STATE] = before
    house.tick()
    assert sorted(set(house.minutes())) == list(minutes_between(house.minutes()[0], last_due(house.clock())))


def test_a_publish_that_fails_moves_nothing() -> None:
    """When Pub/Sub does not take the messages, the watermark stays and the next run publishes them."""
    house = House()
    house.tick()
    house.clock.advance(minutes=4)
    house.publisher.fail_with = Retryable("no Pub/Sub")
    with pytest.raises(Retryable):
        house.tick()
    house.publisher.fail_with = None
    assert house.tick() == 4


def test_two_runs_at_once_repeat_and_never_skip() -> None:
    """The slower of two runs does not put the watermark back, and the next tick goes on from the faster one."""
    house = House()
    house.tick()
    house.clock.advance(minutes=3)
    state, generation = house.store.read("domains", house.clock())
    house.tick()
    assert state
    assert not house.store.save("domains", state, generation)
    house.clock.advance(minutes=1)
    assert house.tick() == 1


def test_a_lost_state_object_goes_on_from_the_ledger() -> None:
    """With the state gone, planning resumes after the newest minute that the ledger knows."""
    house = House(plan_back=10)
    house.tick()
    first = house.minutes()[0]
    house.ledger.record([LedgerRow("merged", NOON, "domains", first + timedelta(minutes=at)) for at in range(6)])
    house.bucket.delete(STATE)
    assert house.tick() == 4
    state, _ = house.store.read("domains", house.clock())
    assert state
    assert state.first == first


def test_a_clock_that_goes_back_publishes_nothing_and_keeps_the_watermark() -> None:
    """An hour back in time is no reason to plan anything again."""
    house = House(plan_back=10)
    house.tick()
    before = house.bucket.objects[STATE].data
    house.clock.advance(hours=-1)
    assert house.tick() == 0
    assert house.bucket.objects[STATE].data == before


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
    """The text names the object, the problem and the remedy; a watermark days ahead would silence the feed for days."""
    house = House()
    house.bucket.create(STATE, spoilt)
    with pytest.raises(Misconfigured, match=r"gs://landing/state/planner/domains.json .* delete it"):
        house.tick()


@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.sampled_from(["saved", "publish fails", "not saved"])),
        min_size=1,
        max_size=12,
    )
)
def test_no_schedule_of_ticks_and_failures_leaves_a_hole(ticks: list[tuple[int, str]]) -> None:
    """Whatever the gaps between runs and wherever they fail, one good run at the end has published every minute."""
    house = House(plan_back=2)
    for wait, outcome in [(0, "saved"), *ticks, (1, "saved")]:
        house.clock.advance(minutes=wait)
        before = house.bucket.objects.get(STATE)
        house.publisher.fail_with = Retryable("no Pub/Sub") if outcome == "publish fails" else None
        try:
            house.tick()
        except Retryable:
            continue
        if outcome == "not saved" and before:
            house.bucket.objects[STATE] = before
    first = last_due(NOON) - timedelta(minutes=1)
    assert sorted(set(house.minutes())) == list(minutes_between(first, last_due(house.clock())))
