"""Undelivered pages are republished with backoff until they are delivered."""

from datetime import timedelta

import pytest

from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.errors import ImportRefused
from shared.contracts.messages import IocPageLanded
from shared.contracts.outcomes import Poison
from shared.streams.page_log import PageLog, Published, PublishedStore
from tests.support.doubles import NOON
from tests.support.streams import ForwarderHarness


@pytest.fixture
def harness() -> ForwarderHarness:
    """Return a harness with one page whose message is lost."""
    harness = ForwarderHarness()
    harness.source.add(NOON)
    harness.poll()
    harness.pubsub.published.clear()
    return harness


def republished(harness: ForwarderHarness, **after: float) -> list[int]:
    """Let time pass and poll, and return the republished pages."""
    harness.now.advance(**after)
    harness.pubsub.published.clear()
    harness.poll()
    return [message.sequence for message in harness.messages()]


def landed(harness: ForwarderHarness, sequence: int) -> IocPageLanded:
    """Return the message of a page, which was published and is lost."""
    page = PageLog(harness.bucket, harness.stream.name).read(sequence)
    assert page
    return PageLog(harness.bucket, harness.stream.name).message(page.head, len(page.items))


def hint(harness: ForwarderHarness) -> Published:
    """Return the stream's hint."""
    return PublishedStore(harness.bucket, harness.stream.name).read()[0]


def test_a_page_that_nobody_delivers_is_told_of_again(harness: ForwarderHarness) -> None:
    """Pages are republished after one hour, then after two, four and eight.

    A long outage does not multiply messages.
    """
    assert [republished(harness, minutes=20) for _ in range(3)] == [[], [], [1]]
    hours = [republished(harness, hours=1) for _ in range(15)]
    assert [number for number, pages in enumerate(hours, 2) if pages] == [2, 4, 8, 16]


def test_a_lost_message_is_made_up_for(harness: ForwarderHarness) -> None:
    """A republished page is delivered and not republished again."""
    assert republished(harness, minutes=61) == [1]
    harness.importer().handle(harness.messages()[0])
    assert sum(harness.secops.ids().values()) == 1
    assert [republished(harness, hours=hours) for hours in (2, 4, 8)] == [[], [], []]
    assert hint(harness).settled == 1


@pytest.fixture
def backlog() -> ForwarderHarness:
    """Return a harness with 250 pages whose messages are lost, an hour later."""
    harness = ForwarderHarness()
    harness.limits = Limits(bytes=3_900_000, logs=1)
    harness.source.add(*[NOON] * 250)
    harness.poll()
    harness.now.advance(minutes=61)
    return harness


def test_a_long_backlog_is_told_of_in_parts(backlog: ForwarderHarness) -> None:
    """A hundred pages per poll, and all of them before any is republished a second time."""
    found = [republished(backlog, minutes=5) for _ in range(3)]
    assert [len(pages) for pages in found] == [100, 100, 50]
    assert [page for pages in found for page in pages] == list(range(1, 251))
    assert hint(backlog).swept_at == NOON + timedelta(minutes=66)
    assert republished(backlog, minutes=5) == []
    assert republished(backlog, minutes=60)[:2] == [1, 2]


def test_a_slow_bucket_does_not_cost_the_walk_its_time(backlog: ForwarderHarness) -> None:
    """A check ends at its share of the poll's time, new items are collected, and the next poll continues the check."""
    backlog.bucket.at_read = lambda _: backlog.now.advance(seconds=5)
    backlog.source.add(backlog.now())
    first, second = republished(backlog, minutes=5), republished(backlog, minutes=5)
    assert first[-1] == 251
    assert 1 < len(first) < 20
    assert second[0] == first[-2] + 1


def test_a_log_without_its_hint_is_looked_through_in_parts(harness: ForwarderHarness) -> None:
    """No poll reads more than some hundred objects for it."""
    harness.limits = Limits(bytes=3_900_000, logs=1)
    harness.source.add(*[NOON] * 700)
    harness.poll()
    for message in harness.messages():
        harness.importer().handle(message)
    harness.importer().handle(landed(harness, 1))
    harness.bucket.delete("state/streams/ioc_stream.json")
    settled = []
    for _ in range(3):
        republished(harness, minutes=15)
        settled.append(hint(harness).settled)
    assert settled == [0, 500, 701]


def test_what_was_given_up_is_left_to_the_operator(harness: ForwarderHarness) -> None:
    """A refused page would only be refused again."""
    assert republished(harness, minutes=61) == [1]
    harness.secops.answers = [(ImportRefused("400"), False)]
    with pytest.raises(Poison, match="400"):
        harness.importer().handle(harness.messages()[0])
    assert republished(harness, hours=5) == []
    assert hint(harness).settled == 1


def test_a_page_in_the_middle_is_found(harness: ForwarderHarness) -> None:
    """The other pages are delivered; the hint stays before the undelivered page until it is delivered."""
    harness.importer().handle(landed(harness, 1))
    for number in (2, 3):
        harness.source.add(NOON + timedelta(minutes=number))
        harness.now.advance(minutes=number)
        harness.poll()
    harness.importer().handle(landed(harness, 3))
    assert republished(harness, minutes=70) == [2]
    assert hint(harness).settled == 1
    harness.importer().handle(harness.messages()[0])
    republished(harness, minutes=20)
    assert hint(harness).settled == 3
