"""Landings that are not delivered are announced again, from the time on at which their feed was switched on."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.secops_forwarder.poll.landing_republish import LandingPoll, LandingRepublisher
from shared.contracts.interfaces import Listed
from shared.contracts.messages import MinuteLanded
from shared.contracts.minutes import manifest_name
from shared.streams.landing_log import hour_number, hour_of, landing_delivery_name
from tests.support.doubles import Clock
from tests.support.landings import HOUR, LandingHarness, ids
from tests.support.memory import MemoryBucket, reads


@pytest.fixture
def harness() -> LandingHarness:
    """Return a harness whose feed has just been switched on."""
    harness = LandingHarness()
    assert harness.poll() == LandingPoll()
    harness.now.advance(minutes=1)
    return harness


def announced(harness: LandingHarness, **after: float) -> list[int]:
    """Let time pass and poll, and return the hours that were announced, as hours after the first."""
    harness.now.advance(**after)
    harness.pubsub.published.clear()
    harness.poll()
    return [message.sequence - hour_number(HOUR) for message in harness.announced()]


def test_a_landing_that_nobody_delivers_is_announced_again(harness: LandingHarness) -> None:
    """After one hour, then after two, four and eight, so that a long outage does not multiply messages."""
    harness.land(2)
    assert [announced(harness, minutes=20) for _ in range(3)] == [[], [], [0]]
    hours = [announced(harness, hours=1) for _ in range(15)]
    assert [number for number, found in enumerate(hours, 2) if found] == [2, 4, 8, 16]


def test_a_lost_message_is_made_up_for(harness: LandingHarness) -> None:
    """What is announced is delivered, and not announced again."""
    harness.land(3)
    assert announced(harness, hours=1) == [0]
    harness.importer().handle(harness.announced()[0])
    assert harness.secops.ids() == ids(3)
    assert [announced(harness, hours=1) for _ in range(9)] == [[]] * 9


def test_what_landed_before_the_feed_was_on_is_not_announced() -> None:
    """An operator sends it by a replay; of hours that land later, older ones too are announced."""
    harness = LandingHarness()
    harness.land(1)
    harness.now.advance(minutes=1)
    harness.poll()
    harness.now.advance(minutes=1)
    harness.land(1, HOUR - timedelta(days=5))
    assert announced(harness, hours=1) == [-120]


def test_what_lands_while_the_feed_is_off_is_announced_once_it_is_on_again(harness: LandingHarness) -> None:
    """Its message is acked without a record."""
    harness.feeds, on = [], harness.feeds
    harness.importer().landings.handle(harness.land(2))
    harness.feeds = on
    assert announced(harness, hours=30) == [0]
    harness.importer().handle(harness.announced()[0])
    assert harness.secops.ids() == ids(2)


def test_after_a_week_without_a_poll_the_feed_begins_as_if_just_switched_on(harness: LandingHarness) -> None:
    """It has been off, and weeks of hours would come at once."""
    harness.land(2)
    assert announced(harness, days=8) == []
    harness.now.advance(minutes=1)
    harness.land(1, HOUR + timedelta(hours=1))
    assert announced(harness, hours=1) == [1]


def test_what_was_given_up_and_what_is_empty_is_settled(harness: LandingHarness) -> None:
    """The first has a dead letter, and the second has nothing to deliver."""
    harness.give_up(harness.land(1))
    harness.land(0, HOUR + timedelta(hours=1))
    assert announced(harness, hours=1) == []


@pytest.mark.parametrize("damaged", ["manifest", "delivery"])
def test_what_cannot_be_read_keeps_no_other_landing_back(harness: LandingHarness, damaged: str) -> None:
    """It counts as not delivered; once the damaged object is gone, or the hour landed again, it is announced too."""
    uri, manifest = harness.land(1).uri, manifest_name("threat_lists", HOUR)
    name = manifest if damaged == "manifest" else landing_delivery_name(harness.bucket, uri)
    harness.bucket.delete(name)
    assert harness.bucket.create(name, b"{")
    harness.land(1, HOUR + timedelta(hours=1))
    harness.now.advance(hours=1)
    assert harness.poll() == LandingPoll(undelivered=2, announced=1)
    harness.importer().handle(harness.announced()[0])
    harness.now.advance(hours=1)
    assert harness.poll() == LandingPoll(undelivered=1)
    harness.bucket.delete(name)
    if damaged == "manifest":
        harness.land(1)
    assert announced(harness, hours=2) == [0]


class ListedBefore(MemoryBucket):
    """A bucket whose listings lack what is created while they are read."""

    def __init__(self, now: Clock) -> None:
        """Begin with nothing hidden."""
        super().__init__(now=now)
        self.hidden: set[str] = set()

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return what is not hidden."""
        return [one for one in super().listed(prefix, start) if one.name not in self.hidden]


@pytest.fixture
def listings(harness: LandingHarness) -> ListedBefore:
    """Return the harness's bucket."""
    harness.bucket = bucket = ListedBefore(harness.now)
    harness.poll()
    harness.now.advance(minutes=1)
    return bucket


def land_many(harness: LandingHarness, count: int) -> list[MinuteLanded]:
    """Land hours one second after another."""
    found = []
    for number in range(count):
        found.append(harness.land(1, HOUR + timedelta(hours=number)))
        harness.now.advance(seconds=1)
    return found


def test_the_tenth_look_reads_no_more_than_the_second(harness: LandingHarness) -> None:
    """Landings before the oldest one that is not delivered are not read again."""
    for number in range(40):
        harness.importer().landings.handle(harness.land(1, HOUR + timedelta(hours=number)))
        harness.now.advance(hours=1)
    harness.land(1, HOUR + timedelta(hours=40))
    assert announced(harness, hours=1) == [40]
    names = reads(harness.bucket)
    assert announced(harness, minutes=30) == []
    # The state, the manifest, and the delivery.
    assert len(names) == 3


def test_a_large_backlog_is_checked_in_parts(harness: LandingHarness) -> None:
    """No poll reads more than 200 landings, and each one is announced once, in the order in which it landed."""
    land_many(harness, 450)
    harness.now.advance(hours=1)
    polls = [harness.poll() for _ in range(4)]
    assert polls == [LandingPoll(200, 200), LandingPoll(200, 200), LandingPoll(50, 50), LandingPoll()]
    assert [message.sequence - hour_number(HOUR) for message in harness.announced()] == list(range(450))


def test_a_poll_without_time_leaves_the_check_to_the_next(harness: LandingHarness) -> None:
    """Also if the next one comes at once."""
    land_many(harness, 2)
    harness.now.advance(hours=1)
    assert harness.poll(minutes=-1) == LandingPoll()
    assert harness.poll() == LandingPoll(2, 2)


def test_many_hours_that_landed_at_once_are_passed_in_parts(harness: LandingHarness) -> None:
    """A replay lands weeks in minutes, less time than a check stays behind the newest landing."""
    for landed in land_many(harness, 300):
        harness.importer().landings.handle(landed)
    harness.land(1, HOUR + timedelta(hours=300))
    harness.now.advance(hours=1)
    assert [harness.poll() for _ in range(2)] == [LandingPoll(), LandingPoll(1, 1)]


@pytest.mark.parametrize("delivered", [True, False])
def test_what_lands_while_a_check_lists_is_announced_later(
    harness: LandingHarness, listings: ListedBefore, delivered: bool
) -> None:
    """A listing that has a later landing and lacks an earlier one settles neither."""
    harness.land(1, HOUR - timedelta(hours=1))
    listings.hidden.add(manifest_name("threat_lists", HOUR - timedelta(hours=1)))
    harness.now.advance(minutes=1)
    newer = harness.land(1)
    if delivered:
        harness.importer().landings.handle(newer)
    harness.now.advance(minutes=20)
    harness.poll()
    listings.hidden.clear()
    assert -1 in announced(harness, hours=1)


def test_a_poll_whose_clock_is_ahead_settles_nothing_that_has_not_landed(harness: LandingHarness) -> None:
    """What lands between the right time and that of the poll is announced too."""
    harness.importer().landings.handle(harness.land(1))
    ahead = Clock(harness.now() + timedelta(hours=3))
    LandingRepublisher(harness.bucket, harness.pubsub, ahead).poll("threat_lists", ahead.time + timedelta(minutes=1))
    harness.now.advance(hours=1)
    harness.land(1, HOUR + timedelta(hours=1))
    assert 1 in announced(harness, hours=6)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(("land", "late", "deliver", "lose", "poll")), st.integers(1, 300)), max_size=30)
)
def test_nothing_that_landed_stays_undelivered(steps: list[tuple[str, int]]) -> None:
    """Whatever is lost, polls announce it: when nothing more goes wrong, every landed hour is delivered once."""
    harness = LandingHarness()
    harness.poll()
    waiting, number = [], 0
    for step, minutes in steps:
        harness.now.advance(minutes=minutes)
        if step in ("land", "late"):
            number += 1
            back = timedelta(days=4) if step == "late" else timedelta()
            waiting.append(harness.land(1, hour_of(hour_number(harness.now() - back)) + number * timedelta(hours=500)))
        elif step == "deliver" and waiting:
            harness.importer().landings.handle(waiting.pop())
        elif step == "lose":
            waiting.clear()
        elif step == "poll":
            harness.poll()
    for _ in range(20):
        harness.now.advance(days=1)
        harness.pubsub.published.clear()
        harness.poll()
        for message in harness.announced():
            harness.importer().handle(message)
    assert harness.secops.ids().total() == number


def test_hours_have_successive_numbers() -> None:
    """A number gives its hour back."""
    assert [hour_of(hour_number(HOUR) + more) for more in (0, 1)] == [HOUR, HOUR + timedelta(hours=1)]
