"""The sweep finds what is missing and asks for it with growing patience."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from services.planner.state import Asked, PlanState, StateStore
from services.planner.sweep import Sweeper, find_missing
from shared.dead_letters import ATTEMPTS_SPENT
from shared.memory import MemoryBucket, MemoryLedger, MemoryPublisher
from shared.messages import MinuteLanded, MinuteRequested
from shared.minutes import manifest_name, minutes_between
from shared.ports import LedgerRow, MinuteState
from tests.doubles import NOON, Clock

FIRST = NOON - timedelta(hours=3)
WATERMARK = NOON - timedelta(minutes=61)
SETTLED = NOON - timedelta(minutes=71)
STATE = PlanState(first=FIRST, watermark=WATERMARK)


ANOTHERS = (
    b'{"feed":"domains","minute":"2026-11-21T11:00:00Z","event":"landed","uri":"gs://landing/x","rejects_uri":null,'
    b'"crc32c":"00000000","lines":1,"rejected":0,"bytes":2,"landed_at":"2026-11-21T12:00:00Z"}'
)


def known(minute: datetime, state: str, age: float = 30, reason: str | None = None) -> MinuteState:
    """Return what the ledger says of a minute; age in minutes."""
    return MinuteState(minute, state, NOON - timedelta(minutes=age), reason)


def test_every_minute_past_due_that_the_ledger_does_not_know_is_missing() -> None:
    """From the feed's first minute up to ten minutes past due, and nothing beyond."""
    missing = find_missing(STATE, [], NOON)
    assert missing.unknown == list(minutes_between(FIRST, SETTLED))


@pytest.mark.parametrize("state", ["landed", "loaded", "merged", "absent", "dead"])
def test_a_minute_that_the_ledger_knows_is_not_asked_for(state: str) -> None:
    """Whatever became of it, it is accounted for."""
    assert FIRST not in find_missing(STATE, [known(FIRST, state, age=1)], NOON).unknown


@pytest.mark.parametrize(
    ("state", "age", "overdue"),
    [("landed", 9, False), ("landed", 11, True), ("loaded", 70, False), ("loaded", 80, True), ("merged", 999, False)],
)
def test_a_landing_that_goes_no_further_is_announced_again(state: str, age: float, overdue: bool) -> None:
    """A load is overdue after ten minutes, a merge after two missed schedules."""
    missing = find_missing(STATE, [known(FIRST, state, age)], NOON)
    assert missing.unmerged == ([FIRST] if overdue else [])


def test_a_merged_minute_without_an_account_is_announced_again() -> None:
    """A ledger restored between load and merge knows that lines were merged, and not how many there should be."""
    ledger = MemoryLedger()
    ledger.record([LedgerRow("merged", NOON - timedelta(minutes=11), "domains", FIRST, rows=5)])
    assert find_missing(STATE, ledger.states("domains", FIRST, FIRST), NOON).unmerged == [FIRST]
    ledger.record([LedgerRow("loaded", NOON - timedelta(minutes=11), "domains", FIRST, lines=5)])
    assert not find_missing(STATE, ledger.states("domains", FIRST, FIRST), NOON).unmerged


def test_the_dead_are_tried_once_more_only_when_their_attempts_were_spent() -> None:
    """Poison stays dead, and a minute that was tried once more is left to the operator."""
    spent = known(FIRST, "dead", reason=f"{ATTEMPTS_SPENT}: 100 deliveries")
    assert find_missing(STATE, [spent], NOON).dead == [FIRST]
    assert not find_missing(STATE, [known(FIRST, "dead", reason="no licence")], NOON).dead
    assert not find_missing(STATE.model_copy(update={"retried": (FIRST,)}), [spent], NOON).dead


@pytest.mark.parametrize(("age_hours", "asked"), [(100, False), (161, False), (163, True), (168.5, False)])
def test_the_absent_are_asked_for_once_more_before_the_source_forgets_them(age_hours: float, asked: bool) -> None:
    """In the last six of the seven days, and only once."""
    minute = NOON - timedelta(hours=age_hours)
    state = STATE.model_copy(update={"first": minute})
    absent = [known(minute, "absent")] if age_hours < 168 else []
    assert find_missing(state, absent, NOON).absent == ([minute] if asked else [])
    again = state.model_copy(update={"retried": (minute,)})
    assert not find_missing(again, absent, NOON).absent


def test_nothing_is_asked_for_that_the_source_no_longer_keeps() -> None:
    """The seven days bound the sweep as they bound the source."""
    state = STATE.model_copy(update={"first": NOON - timedelta(days=30)})
    missing = find_missing(state, [], NOON)
    assert missing.unknown[0] == NOON - timedelta(days=7) + timedelta(minutes=1)


def test_patience_doubles_from_ten_minutes_to_six_hours() -> None:
    """After the first time 10 minutes, then 20, 40 ... and never more than 360."""
    spacings = []
    asked = Asked(minute=FIRST, times=1, last=NOON)
    for _ in range(9):
        wait = next(wait for wait in range(1, 400) if asked.is_due(asked.last + timedelta(minutes=wait)))
        spacings.append(wait)
        asked = asked.again(asked.last + timedelta(minutes=wait))
    assert spacings == [10, 20, 40, 80, 160, 320, 360, 360, 360]


class House:
    """A sweeper among doubles, with ten minutes that are past due."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.publisher = MemoryPublisher()
        self.ledger = MemoryLedger()
        self.clock = Clock()
        self.store = StateStore(self.bucket)
        self.first = SETTLED - timedelta(minutes=9)
        self.store.save("domains", PlanState(first=self.first, watermark=SETTLED), 0)
        self.meanwhile: Callable[[], None] = lambda: None
        self.sweeper = Sweeper(
            store=self.store, bucket=self.bucket, publisher=self.publisher, ledger=self._look, now=self.clock
        )

    def _look(self) -> MemoryLedger:
        self.meanwhile()
        return self.ledger

    def plan_a_minute(self) -> None:
        """Move the watermark on, as a plan does."""
        state, generation = self.store.read("domains", self.clock())
        assert state
        planned = state.model_copy(update={"watermark": state.watermark + timedelta(minutes=1)})
        assert self.store.save("domains", planned, generation)

    def sweep(self) -> list[datetime]:
        """Sweep and return the minutes that were asked for."""
        self.publisher.published.clear()
        self.sweeper.sweep("domains")
        published = self.publisher.published["feed-minutes"]
        requests = [MinuteRequested.model_validate_json(message.body) for message in published]
        assert {request.reason for request in requests} <= {"sweep"}
        return [request.minute for request in requests]

    def account(self, minute: datetime, event: str, reason: str | None = None) -> None:
        """Write a ledger row at the present time."""
        self.ledger.record([LedgerRow(event, self.clock(), "domains", minute, reason=reason)])


def test_a_sweep_asks_for_what_is_missing_and_remembers() -> None:
    """The second sweep in the same ten minutes asks for nothing; a minute that came meanwhile is forgotten."""
    house = House()
    assert len(house.sweep()) == 10
    house.clock.advance(minutes=5)
    assert not house.sweep()
    house.account(house.first, "merged")
    house.clock.advance(minutes=5)
    assert len(house.sweep()) == 9
    state, _ = house.store.read("domains", house.clock())
    assert state
    assert [entry.times for entry in state.asked] == [2] * 9


def test_a_plan_at_the_same_moment_costs_the_sweep_no_memory() -> None:
    """Both schedules begin at the same second; what was asked for is remembered beside the watermark that moved."""
    house = House()
    house.meanwhile = house.plan_a_minute
    house.account(house.first, "dead", f"{ATTEMPTS_SPENT}: 100 deliveries to downloader")
    assert len(house.sweep()) == 10
    state, _ = house.store.read("domains", house.clock())
    assert state
    assert (len(state.asked), state.retried) == (10, (house.first,))
    assert state.watermark == SETTLED + timedelta(minutes=1)
    assert not house.sweep()


@pytest.mark.parametrize(("days", "times"), [(2, 13), (7, 33)])
def test_a_long_outage_does_not_multiply_messages(days: int, times: int) -> None:
    """A sweep every ten minutes for two days asks for each minute 13 times, not 288; in seven days 33, not 1,008."""
    house = House()
    asked: Counter[datetime] = Counter()
    for _ in range(days * 144):
        asked.update(house.sweep())
        house.clock.advance(minutes=10)
    assert list(asked.values()) == [times] * 10


def test_a_landing_is_announced_from_its_manifest() -> None:
    """What landed and was never loaded needs no source: its manifest is the message."""
    house = House()
    landed = MinuteLanded(
        feed="domains",
        minute=house.first,
        uri="gs://landing/x",
        crc32c="00000000",
        lines=1,
        rejected=0,
        bytes=2,
        landed_at=NOON,
    )
    house.bucket.create(manifest_name("domains", house.first), landed.body())
    house.account(house.first, "landed")
    house.clock.advance(minutes=11)
    assert house.first not in house.sweep()
    [message] = house.publisher.published["minutes-landed"]
    assert MinuteLanded.model_validate_json(message.body) == landed


@pytest.mark.parametrize("spoilt", [b"", b"{", b'{"feed":"domains"}', ANOTHERS])
def test_a_spoilt_manifest_keeps_nothing_else_from_being_mended(spoilt: bytes) -> None:
    """It cannot be announced; what is missing beside it is asked for all the same."""
    house = House()
    house.bucket.create(manifest_name("domains", house.first), spoilt)
    house.account(house.first, "landed")
    house.clock.advance(minutes=11)
    assert len(house.sweep()) == 9
    assert not house.publisher.published["minutes-landed"]


def test_the_dead_are_asked_for_once() -> None:
    """One more try, however many sweeps follow."""
    house = House()
    for minute in minutes_between(house.first, SETTLED):
        house.account(minute, "dead", f"{ATTEMPTS_SPENT}: 100 deliveries to downloader")
    assert len(house.sweep()) == 10
    house.clock.advance(hours=12)
    assert not house.sweep()


def test_a_feed_that_was_never_planned_has_nothing_missing() -> None:
    """Without a state object there is nothing to compare with."""
    house = House()
    house.bucket.delete("state/planner/domains.json")
    assert not house.sweep()
