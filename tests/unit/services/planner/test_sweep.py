"""The sweep finds missing minutes and requests them with backoff."""

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.planner.missing_minutes import find_missing
from services.planner.sweep import Sweeper, SweepResult
from shared.contracts.interfaces import LedgerRow, MinuteState
from shared.contracts.messages import MinuteLanded, MinuteRequested
from shared.contracts.minutes import manifest_name, minutes_between
from shared.contracts.outcomes import DeadLetterType
from shared.operations.accepted_replays import AcceptedReplays
from shared.operations.feed_conditions import FeedConditions
from shared.operations.planner_state import PlanState, PlanStateStore, RequestRecord
from shared.virustotal.errors import NotLicensed
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket, MemoryHistory, MemoryLedger, MemoryPublisher

FIRST = NOON - timedelta(hours=3)
WATERMARK = NOON - timedelta(minutes=61)
SETTLED = NOON - timedelta(minutes=71)
STATE = PlanState(first=FIRST, watermark=WATERMARK)


ANOTHERS = (
    b'{"feed":"domains","minute":"2026-11-21T11:00:00Z","event":"landed","uri":"gs://landing/x","rejects_uri":null,'
    b'"crc32c":"00000000","lines":1,"rejected":0,"bytes":2,"landed_at":"2026-11-21T12:00:00Z"}'
)


def known(minute: datetime, state: str, age: float = 30, error_type: DeadLetterType | None = None) -> MinuteState:
    """Return a minute of the ledger; age in minutes."""
    return MinuteState(minute, state, NOON - timedelta(minutes=age), error_type=error_type)


def of_kind(kind: str, state: PlanState, known: Iterable[MinuteState] = ()) -> list[datetime]:
    """Return the missing minutes of one kind at noon."""
    return [one.minute for one in find_missing(state, known, NOON) if one.kind == kind]


def test_every_minute_past_due_that_the_ledger_does_not_know_is_missing() -> None:
    """Missing minutes are between the feed's first minute and ten minutes past due."""
    assert of_kind("unknown", STATE) == list(minutes_between(FIRST, SETTLED))


@pytest.mark.parametrize("state", ["landed", "loaded", "merged", "absent", "dead"])
def test_a_minute_that_the_ledger_knows_is_not_asked_for(state: str) -> None:
    """A minute in any state is accounted for."""
    assert FIRST not in of_kind("unknown", STATE, [known(FIRST, state, age=1)])


@pytest.mark.parametrize(
    ("state", "age", "overdue"),
    [("landed", 9, False), ("landed", 11, True), ("loaded", 70, False), ("loaded", 80, True), ("merged", 999, False)],
)
def test_a_landing_that_goes_no_further_is_announced_again(state: str, age: float, overdue: bool) -> None:
    """A load is overdue after ten minutes, a merge after two missed schedules."""
    assert of_kind("unmerged", STATE, [known(FIRST, state, age)]) == ([FIRST] if overdue else [])


def test_a_merged_minute_without_an_account_is_announced_again() -> None:
    """A ledger restored between load and merge has the minute as merged, without its line count."""
    ledger = MemoryLedger()
    ledger.record([LedgerRow("merged", NOON - timedelta(minutes=11), "domains", FIRST, rows=5)])
    assert of_kind("unmerged", STATE, ledger.states("domains", FIRST, FIRST)) == [FIRST]
    ledger.record([LedgerRow("loaded", NOON - timedelta(minutes=11), "domains", FIRST, lines=5)])
    assert not of_kind("unmerged", STATE, ledger.states("domains", FIRST, FIRST))


@pytest.mark.parametrize(("age_hours", "asked"), [(100, False), (161, False), (163, True), (168.5, False)])
def test_the_absent_are_asked_for_once_more_before_the_source_forgets_them(age_hours: float, asked: bool) -> None:
    """It is requested in the last six hours of the seven days, and only once."""
    minute = NOON - timedelta(hours=age_hours)
    state = STATE.model_copy(update={"first": minute})
    absent = [known(minute, "absent")] if age_hours < 168 else []
    assert of_kind("absent", state, absent) == ([minute] if asked else [])
    again = state.model_copy(update={"retried": (minute,)})
    assert not of_kind("absent", again, absent)


def test_what_the_source_no_longer_keeps_has_a_last_word() -> None:
    """For a day after the seven, unknown minutes are requested, which gives them up with a reason; nothing older is."""
    state = STATE.model_copy(update={"first": NOON - timedelta(days=30)})
    oldest = NOON - timedelta(days=7) + timedelta(minutes=1)
    assert of_kind("unknown", state)[0] == oldest
    expired = of_kind("expired", state)
    assert (expired[0], expired[-1], len(expired)) == (oldest - timedelta(days=1), oldest - timedelta(minutes=1), 1440)
    ended = [known(expired[0], "dead"), known(expired[1], "absent"), known(expired[2], "merged")]
    assert next(one.minute for one in find_missing(state, ended, NOON)) == expired[3]


def test_patience_doubles_from_ten_minutes_to_six_hours() -> None:
    """The backoff is 10 minutes, then 20, 40 ... and at most 360."""
    spacings = []
    asked = RequestRecord(minute=FIRST, times=1, last=NOON)
    for _ in range(9):
        wait = next(wait for wait in range(1, 400) if asked.is_due(asked.last + timedelta(minutes=wait)))
        spacings.append(wait)
        asked = asked.again(asked.last + timedelta(minutes=wait))
    assert spacings == [10, 20, 40, 80, 160, 320, 360, 360, 360]


class Crash(BaseException):
    """The process crashed."""


class SweeperHarness:
    """A sweeper with fakes and ten minutes past due."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.publisher = MemoryPublisher()
        self.ledger = MemoryLedger()
        self.history = MemoryHistory()
        self.clock = Clock()
        self.store = PlanStateStore(self.bucket)
        self.first = SETTLED - timedelta(minutes=9)
        self.store.save("domains", PlanState(first=self.first, watermark=SETTLED), 0)
        self.until: datetime | None = None
        self.swept = SweepResult()
        self.meanwhile: Callable[[], None] = lambda: None
        self.sweeper = Sweeper(
            store=self.store,
            bucket=self.bucket,
            publisher=self.publisher,
            ledger=self._look,
            history=lambda: self.history,
            now=self.clock,
        )

    def _look(self) -> MemoryLedger:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return self.ledger

    def plan_a_minute(self) -> None:
        """Move the watermark on, as a plan does."""
        state, generation = self.store.read("domains")
        assert state
        planned = state.model_copy(update={"watermark": state.watermark + timedelta(minutes=1)})
        assert self.store.save("domains", planned, generation)

    def sweep(self) -> list[datetime]:
        """Sweep and return the minutes that were asked for."""
        self.publisher.published.clear()
        self.swept = self.sweeper.sweep("domains", until=self.until or self.clock() + timedelta(minutes=1))
        return self.published_requests()

    def published_requests(self) -> list[datetime]:
        """Return the minutes that the last sweep asked for."""
        published = self.publisher.published["feed-minutes"]
        requests = [MinuteRequested.model_validate_json(message.body) for message in published]
        assert {request.reason for request in requests} <= {"sweep"}
        return [request.minute for request in requests]

    def published_landings(self) -> list[datetime]:
        """Return the minutes that the last sweep announced."""
        published = self.publisher.published["minutes-landed"]
        return [MinuteLanded.model_validate_json(message.body).minute for message in published]

    def fail_after(self, calls: int | None) -> None:
        """Have the process die at the n-th publish or save from now on; None: never."""
        left = itertools.count(calls if calls is not None else 10**9, -1)

        def step() -> None:
            if next(left) <= 0:
                raise Crash

        self.publisher.at_publish = step
        self.bucket.at_write = step

    def account(self, minute: datetime, event: str, error_type: str | None = None) -> None:
        """Write a ledger row at the present time."""
        lines = 1 if event == "merged" else None
        self.ledger.record([LedgerRow(event, self.clock(), "domains", minute, lines=lines, error_type=error_type)])


def test_a_sweep_asks_for_what_is_missing_and_remembers() -> None:
    """A second sweep in the same ten minutes requests nothing.

    A minute that arrived meanwhile is removed from the state.
    """
    harness = SweeperHarness()
    assert len(harness.sweep()) == 10
    harness.clock.advance(minutes=5)
    assert not harness.sweep()
    harness.account(harness.first, "merged")
    harness.clock.advance(minutes=5)
    assert len(harness.sweep()) == 9
    state, _ = harness.store.read("domains")
    assert state
    assert [entry.times for entry in state.asked] == [2] * 9


def test_a_plan_at_the_same_moment_costs_the_sweep_no_memory() -> None:
    """Both schedules start in the same second; the requests are saved together with the moved watermark."""
    harness = SweeperHarness()
    harness.meanwhile = harness.plan_a_minute
    harness.account(harness.first, "absent")
    assert len(harness.sweep()) == 9
    state, _ = harness.store.read("domains")
    assert state
    assert len(state.asked) == 9
    assert state.watermark == SETTLED + timedelta(minutes=1)
    assert not harness.sweep()


@pytest.mark.parametrize(("days", "times"), [(2, 13), (7, 33)])
def test_a_long_outage_does_not_multiply_messages(days: int, times: int) -> None:
    """With a sweep every ten minutes each minute is requested 13 times in two days, not 288.

    In seven days 33, not 1,008.
    """
    harness = SweeperHarness()
    asked: Counter[datetime] = Counter()
    for _ in range(days * 144):
        asked.update(harness.sweep())
        harness.clock.advance(minutes=10)
    assert list(asked.values()) == [times] * 10


def test_a_landing_is_announced_from_its_manifest() -> None:
    """A landing that was never loaded needs no download: its manifest is the message."""
    harness = SweeperHarness()
    landed = MinuteLanded(
        feed="domains",
        minute=harness.first,
        uri="gs://landing/x",
        crc32c="00000000",
        lines=1,
        rejected=0,
        bytes=2,
        landed_at=NOON,
    )
    harness.bucket.create(manifest_name("domains", harness.first), landed.body)
    harness.account(harness.first, "landed")
    harness.clock.advance(minutes=11)
    assert harness.first not in harness.sweep()
    [message] = harness.publisher.published["minutes-landed"]
    assert MinuteLanded.model_validate_json(message.body) == landed


@pytest.mark.parametrize("spoilt", [b"", b"{", b'{"feed":"domains"}', ANOTHERS])
def test_a_spoilt_manifest_keeps_nothing_else_from_being_mended(spoilt: bytes) -> None:
    """It cannot be republished; other missing minutes are requested."""
    harness = SweeperHarness()
    harness.bucket.create(manifest_name("domains", harness.first), spoilt)
    harness.account(harness.first, "landed")
    harness.clock.advance(minutes=11)
    assert len(harness.sweep()) == 9
    assert not harness.publisher.published["minutes-landed"]


@pytest.mark.parametrize("error_type", ["attempts_spent", "source_changed", "unknown"])
def test_the_dead_are_asked_for_as_long_as_the_source_serves_them(error_type: DeadLetterType) -> None:
    """For any reason: an hour after they died, then 2, 4, 8, 12 h apart, until seven days are over."""
    harness = SweeperHarness()
    for minute in minutes_between(harness.first, SETTLED):
        harness.account(minute, "dead" if minute == harness.first else "merged", error_type)
    asked: list[float] = []
    for _ in range(8 * 144):
        asked += [
            (harness.clock() - NOON) / timedelta(hours=1) for minute in harness.sweep() if minute == harness.first
        ]
        harness.clock.advance(minutes=10)
    assert asked[:7] == [1, 3, 7, 15, 27, 39, 51]
    assert 150 < asked[-1] < 168
    assert len(asked) == 17 - 1


def test_a_minute_that_died_again_rests_again() -> None:
    """The requested message may need most of a day to be given up.

    Meanwhile and for an hour after that there is no request.
    """
    harness = SweeperHarness()
    for minute in minutes_between(harness.first, SETTLED):
        harness.account(minute, "dead" if minute == harness.first else "merged", "attempts_spent")
    harness.clock.advance(hours=1)
    assert harness.sweep() == [harness.first]
    harness.clock.advance(hours=1, minutes=50)
    harness.account(harness.first, "dead", "attempts_spent")
    harness.clock.advance(minutes=50)
    assert not harness.sweep()
    harness.clock.advance(minutes=10)
    assert harness.sweep() == [harness.first]


def test_a_minute_that_was_missing_and_died_is_counted_anew() -> None:
    """Requests before it died do not prolong its backoff."""
    harness = SweeperHarness()
    for _ in range(60):
        harness.sweep()
        harness.clock.advance(minutes=10)
    harness.account(harness.first, "dead", "attempts_spent")
    harness.clock.advance(hours=1)
    assert harness.first in harness.sweep()


@pytest.mark.parametrize("state", ["landed", "loaded"])
def test_a_landing_whose_manifest_is_gone_is_asked_for_at_the_source(state: str) -> None:
    """Nothing can be republished, and the source still has it."""
    harness = SweeperHarness()
    harness.account(harness.first, state)
    harness.clock.advance(minutes=80)
    assert harness.first in harness.sweep()
    assert not harness.published_landings()


def outage(harness: SweeperHarness, minutes: int, landed: int) -> None:
    """Simulate an outage: minutes are missing, and the newest are landed but not loaded."""
    harness.first = SETTLED - timedelta(minutes=minutes - 1)
    _, generation = harness.store.read("domains")
    harness.store.save("domains", PlanState(first=harness.first, watermark=SETTLED), generation)
    for minute in minutes_between(SETTLED - timedelta(minutes=landed - 1), SETTLED):
        harness.bucket.create(manifest_name("domains", minute), manifest(minute).body)
        harness.account(minute, "landed")
    harness.clock.advance(minutes=11)


def manifest(minute: datetime) -> MinuteLanded:
    """Return a landing."""
    return MinuteLanded(
        feed="domains",
        minute=minute,
        uri="gs://landing/x",
        crc32c="0" * 8,
        lines=1,
        rejected=0,
        bytes=2,
        landed_at=NOON,
    )


def test_a_long_outage_is_worked_off_in_several_runs() -> None:
    """A run ends with its time slot, oldest minutes first; its requests are saved, and the rest is requested next."""
    harness = SweeperHarness()
    outage(harness, 2600, 900)
    harness.until = harness.clock()
    assert not harness.sweep()
    assert harness.swept == SweepResult(missing=2600, left=2600)
    seen: list[datetime] = []
    for _ in range(6):
        harness.until = harness.clock() + timedelta(seconds=1)
        # Each batch takes the rest of the turn.
        harness.publisher.at_publish = lambda: harness.clock.advance(seconds=1)
        seen += [*harness.sweep(), *harness.published_landings()]
        assert harness.swept.asked + harness.swept.announced <= 500
    assert harness.swept.left == 0
    assert sorted(seen) == list(minutes_between(harness.first, SETTLED))
    assert seen[:1700] == sorted(seen[:1700])


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(0, 9), min_size=1, max_size=4), minutes=st.integers(1, 1400), landed=st.integers(0, 700)
)
def test_a_sweep_that_is_cut_off_anywhere_loses_nothing(cuts: list[int], minutes: int, landed: int) -> None:
    """After crashes at any call, every minute has been requested; and no minute counts as requested that was not."""
    harness = SweeperHarness()
    outage(harness, minutes, min(landed, minutes))
    pushed: set[datetime] = set()
    for cut in [*cuts, None]:
        harness.fail_after(cut)
        with suppress(Crash):
            harness.sweep()
        pushed |= {*harness.published_requests(), *harness.published_landings()}
        harness.fail_after(None)
        state, _ = harness.store.read("domains")
        assert state
        assert {entry.minute for entry in state.asked} <= pushed
    assert pushed == set(minutes_between(harness.first, SETTLED))


def test_a_feed_without_a_licence_is_asked_for_when_the_licence_is_back() -> None:
    """Until then each sweep requests one minute as a probe; landings are republished."""
    harness = SweeperHarness()
    conditions = FeedConditions(harness.bucket)
    conditions.report("domains", NotLicensed("403"), NOON)
    for _ in range(3):
        assert harness.sweep() == [SETTLED]
        harness.clock.advance(minutes=1)
    harness.bucket.create(manifest_name("domains", harness.first), manifest(harness.first).body)
    harness.account(harness.first, "landed")
    harness.clock.advance(minutes=11)
    harness.sweep()
    assert harness.published_landings() == [harness.first]
    conditions.clear("domains")
    harness.clock.advance(minutes=40)
    assert len(harness.sweep()) == 9


def test_a_feed_that_was_never_planned_has_nothing_missing() -> None:
    """Without a state object there is nothing to compare with."""
    harness = SweeperHarness()
    harness.bucket.delete("state/planner/domains.json")
    assert not harness.sweep()


BEFORE = FIRST - timedelta(days=1)


def replayed(harness: SweeperHarness, first: datetime, last: datetime) -> None:
    """Accept a replay as the command does, whose messages are then lost."""
    AcceptedReplays(harness.bucket).accept("domains", minutes_between(first, last), harness.clock())


def events(harness: SweeperHarness, event: str) -> list[datetime | None]:
    """Return the minutes with an event in the ledger."""
    return [row.minute for row in harness.ledger.rows if row.event == event]


def test_replayed_minutes_are_due_wherever_they_lie() -> None:
    """A lost message of a minute before the feed's first is asked for again, until the minute is accounted for."""
    harness = SweeperHarness()
    last = BEFORE + timedelta(minutes=2)
    replayed(harness, BEFORE, last)
    assert not set(harness.sweep()) & set(minutes_between(BEFORE, last))
    assert events(harness, "asked") == list(minutes_between(BEFORE, last))
    harness.clock.advance(minutes=11)
    assert set(minutes_between(BEFORE, last)) <= set(harness.sweep())
    for minute, event in zip(minutes_between(BEFORE, last), ("merged", "absent", "dead"), strict=True):
        assert AcceptedReplays(harness.bucket).read("domains").replays
        harness.account(minute, event)
        harness.sweep()
    harness.clock.advance(days=7)
    harness.sweep()
    assert not AcceptedReplays(harness.bucket).read("domains").replays
    assert events(harness, "asked") == list(minutes_between(BEFORE, last))


def test_a_replay_whose_record_is_lost_is_still_due() -> None:
    """The ledger has its minutes too."""
    harness = SweeperHarness()
    replayed(harness, BEFORE, BEFORE)
    harness.sweep()
    [name] = AcceptedReplays(harness.bucket).read("domains").replays
    harness.bucket.delete(name)
    harness.clock.advance(minutes=11)
    assert BEFORE in harness.sweep()


def test_a_replayed_minute_that_can_no_longer_come_is_given_up_in_words() -> None:
    """It is requested until the downloader has given it a reason, which ends the replay."""
    harness = SweeperHarness()
    old = NOON - timedelta(days=20)
    replayed(harness, old, old)
    harness.clock.advance(minutes=11)
    assert old in harness.sweep()
    harness.account(old, "dead", "minute_expired")
    harness.clock.advance(hours=13)
    assert old not in harness.sweep()
    assert not AcceptedReplays(harness.bucket).read("domains").replays


def test_a_damaged_replay_does_not_stop_the_repair() -> None:
    """It is named in the log and by the audit; the other minutes are repaired."""
    harness = SweeperHarness()
    harness.bucket.create("state/replays/domains/x.json", b"{")
    assert len(harness.sweep()) == 10
