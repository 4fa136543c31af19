"""Once a day a poll queries the time before the passes again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.secops_forwarder.importer.chunks import Limits
from shared.contracts.outcomes import TransientError
from shared.streams.page_log import Look, PublishedStore
from shared.virustotal.errors import RequestRefused
from shared.virustotal.list_reader import ListQuery
from shared.virustotal.listing import Listing
from tests.support.doubles import NOON
from tests.support.streams import ForwarderHarness, Item, as_given, changed, id_of, place


@pytest.fixture
def harness() -> ForwarderHarness:
    """Return a harness that polled for the first time at noon, with small pages."""
    harness = ForwarderHarness()
    harness.page_size, harness.limits = 4, Limits(bytes=5_000, logs=5)
    harness.source.add(NOON - timedelta(hours=1))
    harness.poll()
    return harness


def look(harness: ForwarderHarness) -> Look:
    """Return the stored state of the looks."""
    found = PublishedStore(harness.bucket, harness.stream.name).read()[0].look
    assert found
    return found


def late_by(harness: ForwarderHarness, *ages: timedelta) -> None:
    """Make the source show items this long after their date."""
    harness.source.add(*(harness.now() - age for age in ages))


def go_on(harness: ForwarderHarness, **by: float) -> None:
    """Let time pass and poll, with four new items, so that the passes do not reach far back."""
    harness.now.advance(**by)
    harness.source.add(*[harness.now()] * 4)
    harness.poll()


def test_what_the_source_shows_hours_late_is_found_within_a_day(harness: ForwarderHarness) -> None:
    """The passes miss the item; the look finds it, and logs nothing twice."""
    for _ in range(47):
        go_on(harness, minutes=30)
    late_by(harness, timedelta(hours=5), timedelta(hours=5), timedelta(minutes=40))
    harness.poll()
    assert harness.logged().total() == 1 + 47 * 4
    go_on(harness, minutes=30)
    harness.assert_all_logged_once()
    harness.poll()
    harness.assert_all_logged_once()


def test_between_two_looks_nothing_is_looked_for(harness: ForwarderHarness) -> None:
    """A look costs a request per page of its time, once a day."""
    costs = []
    for _ in range(49):
        asked = len(harness.source.asked)
        go_on(harness, hours=1)
        costs.append(len(harness.source.asked) - asked)
    usual = min(costs[1:])
    assert [hour for hour, cost in enumerate(costs, 1) if cost > usual] == [24, 48]
    assert max(costs) <= usual + 26


def test_it_never_goes_behind_where_the_first_walk_began(harness: ForwarderHarness) -> None:
    """VT_DATE_FILTER limits what is wanted; a look that reaches further back logs nothing more."""
    harness.second_look = timedelta(days=7)
    late_by(harness, timedelta(days=3))
    late_by(harness, timedelta(hours=23))
    harness.now.advance(hours=25)
    harness.poll()
    assert harness.logged().total() == 2


def test_a_changed_filter_is_not_looked_for_in_the_past(harness: ForwarderHarness) -> None:
    """Items excluded by the earlier filter are not late."""
    harness.now.advance(hours=23)
    harness.poll()
    harness.stream = changed(harness.stream, filter="origin:hunting")
    late_by(harness, timedelta(hours=5))
    harness.poll()
    harness.poll()
    harness.now.advance(hours=25)
    harness.poll()
    assert harness.logged().total() == 1


def test_a_look_is_cut_short_by_the_polls_time_and_gone_on_with(harness: ForwarderHarness) -> None:
    """Each poll collects new items first; the look is completed over several polls."""
    for _ in range(20):
        harness.now.advance(minutes=70)
        harness.source.add(harness.now())
        harness.poll()
    late_by(harness, *(timedelta(hours=hours) for hours in range(1, 22)))
    harness.now.advance(hours=1)
    harness.source.on_ask = lambda _: harness.now.advance(seconds=70)
    finished = [harness.poller().poll(harness.stream).finished for _ in range(20)]
    assert all(finished)
    assert look(harness).reached is None
    harness.assert_all_logged_once()


def test_a_log_too_long_for_a_look_is_looked_at_as_far_as_it_goes(
    harness: ForwarderHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """Only items in the pages that were read can be compared."""
    for _ in range(143):
        harness.now.advance(minutes=10)
        harness.source.add(harness.now())
        harness.poll()
    late_by(harness, timedelta(hours=2))
    harness.now.advance(minutes=10)
    harness.poll()
    assert "secops.second_look_shortened" in caplog.text
    harness.assert_all_logged_once()


@pytest.mark.parametrize("error", [TransientError("503"), RequestRefused("400")])
def test_trouble_in_a_look_loses_nothing(harness: ForwarderHarness, error: Exception) -> None:
    """The next poll looks again."""
    harness.now.advance(hours=23)
    late_by(harness, *(timedelta(hours=hours) for hours in range(2, 20)))
    harness.now.advance(hours=2)
    harness.source.on_ask = once(len(harness.source.asked) + 3, lambda: _fail(error))
    try:
        harness.poll()
    except TransientError:
        harness.now.advance(minutes=5)
    harness.source.on_ask = lambda _: None
    harness.poll()
    harness.assert_all_logged_once()


def test_without_a_setting_there_is_no_look(harness: ForwarderHarness) -> None:
    """SECOND_LOOK_HOURS=0 switches it off."""
    harness.second_look = timedelta()
    go_on(harness, hours=5)
    go_on(harness, hours=5)
    late_by(harness, timedelta(hours=8))
    harness.now.advance(days=2)
    harness.poll()
    assert harness.logged().total() == 9


def test_two_polls_at_once_bring_in_what_is_late_once(harness: ForwarderHarness) -> None:
    """Another complete poll may run before any request."""
    harness.now.advance(hours=23)
    late_by(harness, *(timedelta(hours=hours) for hours in range(2, 20)))
    harness.now.advance(hours=2)
    harness.source.on_ask = once(len(harness.source.asked) + 3, harness.poll)
    harness.poll()
    harness.poll()
    harness.assert_all_logged_once()


def test_the_first_look_is_a_day_after_the_first_poll(harness: ForwarderHarness) -> None:
    """There is nothing to look for before the first pass."""
    assert look(harness).at == NOON
    assert look(harness).earliest == NOON - timedelta(days=1)
    assert isinstance(look(harness).reached, datetime | None)


def test_what_a_counting_cursor_has_passed_over_is_found(harness: ForwarderHarness) -> None:
    """An item that is modified during a pass moves, and the one after it is on no page."""
    harness.source.page = lambda question: positional(harness, question)  # type: ignore[method-assign]
    harness.now.advance(hours=1)
    late_by(harness, *(timedelta(minutes=50 - 4 * number) for number in range(12)))
    modified = harness.source.items[1]
    harness.source.on_ask = once(len(harness.source.asked) + 2, lambda: modify(harness, modified))
    harness.poll()
    passed_over = {id_of(item) for item in harness.source.items} - set(harness.logged())
    assert len(passed_over) == 1
    harness.now.advance(hours=23)
    harness.poll()
    assert passed_over <= set(harness.logged())
    assert max(harness.logged().values()) == 1


def positional(harness: ForwarderHarness, question: ListQuery) -> Listing:
    """Respond with a cursor that counts the items to skip."""
    harness.source.asked.append(question)
    harness.source.on_ask(len(harness.source.asked))
    begin = datetime.fromisoformat(question.filter.removeprefix("date:").removesuffix("+")).replace(tzinfo=UTC)
    found = [item for item in sorted(harness.source.items, key=place) if place(item)[0] >= begin.timestamp()]
    start = int(question.cursor or 0)
    end = start + question.limit
    return Listing(tuple(map(as_given, found[start:end])), str(end) if end < len(found) else None)


def modify(harness: ForwarderHarness, item: Item) -> None:
    """Modify an item, so that it gets the current date."""
    harness.source.items.remove(item)
    harness.source.add(harness.now())


def once(number: int, happen: Callable[[], None]) -> Callable[[int], None]:
    """Return a source that runs something before one request."""

    def interrupt(asked: int) -> None:
        if asked == number:
            happen()

    return interrupt


def _fail(error: Exception) -> None:
    raise error
