"""Polling: every notification in exactly one page, whatever happens in between."""

from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.messages import IOC_PAGES
from shared.outcomes import Misconfigured, Retryable
from shared.secops.chunks import Limits
from shared.secops.pages import page_name
from shared.virustotal.errors import RequestRefused, SourceTrouble
from shared.virustotal.listing import Listing
from tests.doubles import NOON
from tests.streams import DiedError, Life, World, as_given, changed

HOUR_AGO = NOON - timedelta(hours=1)
# Five notifications of the builder to a page.
SMALL = Limits(bytes=5_000, logs=5)


@pytest.fixture
def world() -> World:
    """Return a world with small pages."""
    world = World()
    world.page_size = 4
    world.limits = SMALL
    return world


def spread(count: int, seconds: float = 20) -> list[datetime]:
    """Return dates from an hour ago on."""
    return [HOUR_AGO + timedelta(seconds=seconds * step) for step in range(count)]


def test_a_backlog_is_brought_in_once_and_in_order(world: World) -> None:
    """Pages hold what one request does, their numbers have no gap, dates ascend, and messages tell of them."""
    world.source.add(*spread(23))
    polled = world.poller().poll(world.stream)
    world.assert_all_logged_once()
    assert (polled.notifications, polled.finished) == (23, True)
    assert [len(page.items) for page in world.pages()] == [5, 5, 5, 5, 3]
    dates = [item["context_attributes"]["notification_date"] for item in world.logged_items()]
    assert dates == sorted(dates)
    last = world.messages()[-1]
    assert (last.sequence, last.items, last.last_date) == (5, 3, spread(23)[-1])
    assert last.uri == "gs://landing/streams/ioc_stream/pages/0000000005.json"


def test_the_first_walk_looks_back_as_far_as_the_settings_say(world: World) -> None:
    """What is older is not asked for; the filter of the settings travels with the date."""
    world.stream = changed(world.stream, filter="origin:hunting", look_back_minutes=30)
    world.source.add(*spread(3))
    world.source.add(NOON)
    world.poll()
    assert world.source.asked[0].filter == "origin:hunting date:2026-11-21T11:30:00+"
    assert world.source.asked[0].order == "date+"
    assert world.logged().total() == 1


def test_a_quiet_stream_costs_one_question_and_writes_nothing(world: World) -> None:
    """Polls that find nothing new leave the log as it is."""
    world.source.add(*spread(3))
    world.poll()
    before = dict(world.bucket.objects)
    world.poll()
    assert world.bucket.objects == before
    assert len(world.messages()) == 1
    assert len(world.source.asked) == 2


def test_an_empty_stream_is_looked_at_again(world: World) -> None:
    """With nothing seen yet there is no page, and the next poll looks back again."""
    world.poll()
    assert not list(world.pages())
    world.source.add(NOON)
    world.poll()
    world.assert_all_logged_once()


@pytest.mark.parametrize("after", [False, True])
def test_a_death_at_any_step_loses_and_repeats_nothing(world: World, after: bool) -> None:
    """Whatever write or publish is a process's last, done or not, the next poll goes on from the log."""
    dates, steps, died = spread(14), 0, True
    while died:
        steps += 1
        world = World()
        world.page_size, world.limits = 4, SMALL
        world.source.add(*dates)
        try:
            world.poller(Life(steps, after=after)).poll(world.stream)
            died = False
        except DiedError:
            world.source.add(dates[-1] + timedelta(seconds=90))
            world.poll()
        world.assert_all_logged_once()
    assert steps > 6


def test_a_publish_that_fails_is_made_up_for(world: World) -> None:
    """A page in the log that nobody was told of is published by the next poll."""
    world.source.add(*spread(7))
    world.pubsub.fail_with = Retryable("Pub/Sub is down")
    with pytest.raises(Retryable):
        world.poll()
    world.pubsub.fail_with = None
    world.poll()
    world.assert_all_logged_once()


def test_trouble_at_the_source_moves_nothing_and_keeps_what_came_before(world: World) -> None:
    """A 429 in the middle ends the poll with an error; the next one goes on at the page that was refused."""
    world.source.add(*spread(22))

    def refuse(number: int) -> None:
        if number == 4:
            raise SourceTrouble("429")

    world.source.on_ask = refuse
    with pytest.raises(SourceTrouble):
        world.poll()
    assert world.logged().total() == 12
    world.poll()
    world.assert_all_logged_once()
    refused, again = world.source.asked[3], world.source.asked[4]
    assert refused == again


def test_a_cursor_that_is_refused_leads_back_to_the_watermark(world: World) -> None:
    """The stale cursor costs a question; nothing is lost or repeated."""
    world.source.add(*spread(22))
    world.source.on_ask = lambda number: _fail(SourceTrouble("503"), number == 4)
    with pytest.raises(SourceTrouble):
        world.poll()
    stale = world.source.asked[-1].cursor
    assert stale
    world.source.expired.add(stale)
    world.source.on_ask = lambda _: None
    world.poll()
    world.assert_all_logged_once()


def test_a_cursor_that_is_refused_in_the_middle_costs_nothing(world: World) -> None:
    """The same poll begins anew where the log ends."""
    world.source.add(*spread(40, seconds=60))
    world.source.on_ask = lambda number: _fail(RequestRefused("400 Invalid cursor"), number == 5)
    world.poll()
    world.assert_all_logged_once()


def test_a_filter_that_is_refused_is_an_error(world: World) -> None:
    """Without a cursor to blame nothing is tried twice."""
    world.source.on_ask = lambda _: _fail(RequestRefused('400: filter "x" is not valid'), when=True)
    with pytest.raises(RequestRefused, match="is not valid"):
        world.poll()
    assert len(world.source.asked) == 1


def test_cursors_that_are_always_refused_end_the_poll(world: World) -> None:
    """A source that takes back every cursor is in trouble; the poll does not go round for ever."""
    world.source.add(*spread(22))
    world.source.on_ask = lambda _: _fail(RequestRefused("400"), world.source.asked[-1].cursor is not None)
    with pytest.raises(SourceTrouble, match="again and again"):
        world.poll()


def test_a_changed_filter_begins_at_the_watermark(world: World) -> None:
    """An open walk of the old filter is left; its cursor is never asked with the new one."""
    world.source.add(*spread(22))
    world.source.on_ask = lambda number: _fail(SourceTrouble("503"), number == 4)
    with pytest.raises(SourceTrouble):
        world.poll()
    world.source.on_ask = lambda _: None
    world.stream = changed(world.stream, filter="origin:hunting")
    asked = len(world.source.asked)
    world.poll()
    world.assert_all_logged_once()
    assert world.source.asked[asked].cursor is None
    assert all("origin:hunting" in question.filter for question in world.source.asked[asked:])


def test_a_poll_whose_time_is_up_stops_cleanly_and_the_next_goes_on(world: World) -> None:
    """Each poll has time for one question and makes progress, also over pages on which there is nothing new."""
    world.source.add(*spread(30))
    world.poll()
    world.source.add(spread(30)[-1] + timedelta(seconds=1))
    polls = 0
    while world.logged().total() < 31:
        polls += 1
        assert not walk_pages(world, 1)
    world.assert_all_logged_once()
    assert polls <= 9


def walk_pages(world: World, count: int) -> bool:
    """Poll with time for so many questions; say whether the walk came to its end."""
    world.source.on_ask = lambda _: world.now.advance(seconds=2)
    finished = world.poller(deadline=timedelta(seconds=2 * count - 1)).poll(world.stream).finished
    world.source.on_ask = lambda _: None
    return finished


def test_an_item_that_appears_late_with_an_older_date_is_found(world: World) -> None:
    """Behind the walk's back, within the overlap, and even while a long walk goes on."""
    world.source.add(*spread(30, seconds=120))

    def appear(number: int) -> None:
        if number == 8:
            world.source.add(NOON - timedelta(minutes=8))

    world.source.on_ask = appear
    world.poll()
    world.source.on_ask = lambda _: None
    world.source.add(NOON - timedelta(minutes=5))
    world.poll()
    world.assert_all_logged_once()


def test_an_item_that_appears_late_during_a_long_walk_is_found(world: World) -> None:
    """The next walk begins the overlap before this one's begin, not before the newest date that it came to."""
    world.page_size = 1
    world.source.add(HOUR_AGO)

    def time_passes(number: int) -> None:
        world.now.advance(minutes=4)
        world.source.add(world.now())
        if number == 5:
            world.source.add(world.now() - timedelta(minutes=9))
        if number == 10:
            world.source.on_ask = lambda _: None

    world.source.on_ask = time_passes
    world.poller(deadline=timedelta(hours=9)).poll(world.stream)
    world.poll()
    world.assert_all_logged_once()


def test_a_walk_that_is_gone_on_with_is_followed_by_a_new_one(world: World) -> None:
    """What appeared behind an open walk is found by the poll that ends it."""
    world.source.add(*spread(12, seconds=1))
    walk_pages(world, 2)
    world.source.add(HOUR_AGO)
    world.poll()
    world.assert_all_logged_once()


@pytest.mark.parametrize("steps", range(1, 16))
def test_a_source_page_that_fills_several_pages_may_span_more_than_the_overlap(world: World, steps: int) -> None:
    """A poll that dies between them repeats nothing, however far apart the dates on one source page are."""
    world.page_size, world.limits = 7, Limits(bytes=5_000, logs=2)
    world.stream = changed(world.stream, look_back_minutes=7 * 24 * 60)
    world.source.add(*(NOON - timedelta(hours=hours) for hours in range(16, 0, -1)))
    with pytest.raises(DiedError):
        world.poller(Life(steps)).poll(world.stream)
    with suppress(DiedError):
        world.poller(Life(steps + 2)).poll(world.stream)
    world.poll()
    world.assert_all_logged_once()


def test_an_item_that_the_source_gives_twice_is_kept_once(world: World) -> None:
    """On one source page or on two."""
    world.source.add(*spread(9))
    twice = world.source.page
    world.source.page = lambda question: _doubled(twice(question))  # type: ignore[method-assign]
    world.poll()
    world.assert_all_logged_once()


def _doubled(page: Listing) -> Listing:
    return Listing((*page.items, *page.items), page.cursor)


def test_two_polls_at_once_write_no_page_twice(world: World) -> None:
    """At whatever question another poll comes in between, every notification is in one page."""
    dates = spread(22)
    for moment in range(1, 8):
        world = World()
        world.page_size, world.limits = 4, SMALL
        world.source.add(*dates)
        between(world, moment)
        world.poll()
        world.assert_all_logged_once()


def between(world: World, moment: int) -> None:
    """Let another whole poll run before the source answers a question."""

    def interrupt(number: int) -> None:
        if number == moment:
            world.source.on_ask = lambda _: None
            world.poll()

    world.source.on_ask = interrupt


def test_equal_dates_at_a_page_edge_are_not_lost(world: World) -> None:
    """Many notifications of one second, more than a page holds."""
    world.source.add(*[HOUR_AGO] * 13)
    world.poll()
    world.poll()
    world.assert_all_logged_once()


def test_one_entity_in_many_notifications_is_many_notifications(world: World) -> None:
    """The key is the notification's id, not the entity's."""
    world.source.add(HOUR_AGO, HOUR_AGO)
    for item in world.source.items:
        item["id"] = "same.example"
    world.poll()
    world.assert_all_logged_once()


def test_items_without_id_and_date_are_kept_once(world: World) -> None:
    """What is not as documented is forwarded too, told apart by its content."""
    world.source.add(*spread(3))
    page = world.source.page
    world.source.page = lambda question: _nameless(page(question))  # type: ignore[method-assign]
    world.poll()
    world.poll()
    assert sum(len(found.items) for found in world.pages()) == 3


def _nameless(page: Listing) -> Listing:
    return Listing(tuple(as_given({**item.known, "context_attributes": {}}) for item in page.items), page.cursor)


def test_a_lost_hint_repeats_messages_and_no_page(world: World) -> None:
    """The end of the log is found by walking it."""
    world.source.add(*spread(12))
    world.poll()
    world.bucket.delete("state/streams/ioc_stream.json")
    world.poll()
    world.assert_all_logged_once()
    assert Counter(message.sequence for message in world.messages()) == {1: 2, 2: 2, 3: 2}


def test_pages_that_the_bucket_has_deleted_do_not_begin_the_log_anew(world: World) -> None:
    """After a quiet month the last page may be gone; its number is never used again."""
    world.source.add(*spread(3))
    world.poll()
    world.bucket.delete(page_name("ioc_stream", 1))
    world.now.advance(hours=1)
    world.source.add(world.now())
    world.poll()
    assert world.messages()[-1].sequence == 2


def test_the_key_is_the_streams_own(world: World) -> None:
    """A vulnerability that is modified comes again; one that is not does not."""
    stream = changed(world.stream, key=["id", "context_attributes.notification_date"])
    assert stream.key_of(world_item(world)) == f"host-1.example {int(HOUR_AGO.timestamp())}"
    assert changed(stream, key=["id", "missing"]).key_of(world_item(world)) is None


def world_item(world: World) -> dict[str, object]:
    """Return one item."""
    world.source.add(HOUR_AGO)
    return world.source.items[0]


def _fail(error: Exception, when: bool) -> None:
    if when:
        raise error


ACTION = st.one_of(
    st.tuples(st.just("add"), st.lists(st.integers(0, 900), min_size=1, max_size=9)),
    st.tuples(st.just("die"), st.integers(1, 9)),
    st.tuples(st.just("die after"), st.integers(1, 9)),
    st.tuples(st.just("poll between"), st.integers(1, 4)),
    st.tuples(st.just("trouble"), st.integers(1, 4)),
    st.tuples(st.just("wait"), st.integers(1, 1200)),
)


@settings(max_examples=40, deadline=None)
@given(actions=st.lists(ACTION, max_size=14), page_size=st.integers(1, 6), logs=st.integers(1, 7))
def test_no_history_loses_or_repeats_a_notification(
    actions: list[tuple[str, object]], page_size: int, logs: int
) -> None:
    """Arrivals up to fifteen minutes back less than the overlap, deaths, polls at once and trouble, in any order."""
    world = World()
    world.page_size, world.limits = page_size, Limits(bytes=100_000, logs=logs)
    for name, value in actions:
        act(world, name, value)
    world.source.on_ask = lambda _: None
    world.poll()
    world.assert_all_logged_once()


def act(world: World, name: str, value: object) -> None:
    """Let one thing happen."""
    asked = len(world.source.asked)
    world.source.on_ask = lambda _: None
    match name, value:
        case "add", list(ages):
            # Less than the overlap: nothing is shown later than that after its date.
            world.source.add(*(world.now() - timedelta(seconds=age % 600) for age in ages))
        case "wait", int(seconds):
            world.now.advance(seconds=seconds)
        case "poll between", int(moment):
            between(world, asked + moment)
            world.poll()
        case "trouble", int(moment):
            world.source.on_ask = lambda number: _fail(SourceTrouble("429"), number == asked + moment)
            try:
                world.poll()
            except SourceTrouble:
                return
        case _, int(steps):
            try:
                world.poller(Life(steps, after=name == "die after")).poll(world.stream)
            except DiedError:
                return


def test_the_published_messages_carry_stream_and_sequence(world: World) -> None:
    """A subscription can filter by them."""
    world.source.add(HOUR_AGO)
    world.poll()
    [message] = world.pubsub.published[IOC_PAGES]
    assert message.attributes == {"stream": "ioc_stream", "sequence": "1"}


def test_a_page_of_another_stream_is_refused_by_name() -> None:
    """A log that somebody has put together by hand is not gone on from."""
    world = World()
    world.source.add(NOON)
    world.poll()
    stored = world.bucket.objects[page_name("ioc_stream", 1)]
    world.bucket.create(page_name("ioc_stream", 2), stored.data)
    with pytest.raises(Misconfigured, match=r"0000000002\.json is page 1 of stream 'ioc_stream'"):
        world.poll()
