"""Polling: every notification is in exactly one page, whatever happens in between."""

import json
from collections import Counter
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.poll.source_clock import by_the_source
from shared.contracts.messages import IOC_PAGES
from shared.contracts.outcomes import Misconfigured, Retryable, TransientError
from shared.operations.audit_streams import audit_streams
from shared.operations.stream_log import StreamReader
from shared.operations.stream_status import stream_status
from shared.streams.delivery_progress import find_delivery
from shared.streams.page_log import page_name
from shared.virustotal.errors import RequestRefused
from shared.virustotal.listing import Listing, read_listing
from tests.support.doubles import NOON
from tests.support.streams import STREAM, CrashError, CrashSchedule, ForwarderHarness, as_given, changed, id_of

HOUR_AGO = NOON - timedelta(hours=1)
# Five notifications of the builder to a page.
SMALL = Limits(bytes=5_000, logs=5)


@pytest.fixture
def harness() -> ForwarderHarness:
    """Return a harness with small pages."""
    harness = ForwarderHarness()
    harness.page_size = 4
    harness.limits = SMALL
    return harness


def spread(count: int, seconds: float = 20) -> list[datetime]:
    """Return dates from an hour ago on."""
    return [HOUR_AGO + timedelta(seconds=seconds * step) for step in range(count)]


def test_a_backlog_is_brought_in_once_and_in_order(harness: ForwarderHarness) -> None:
    """Pages have the size of one request and consecutive numbers, dates ascend, and messages name the pages."""
    harness.source.add(*spread(23))
    polled = harness.poller().poll(harness.stream)
    harness.assert_all_logged_once()
    assert (polled.notifications, polled.finished) == (23, True)
    assert [len(page.items) for page in harness.pages()] == [5, 5, 5, 5, 3]
    dates = [item["context_attributes"]["notification_date"] for item in harness.logged_items()]
    assert dates == sorted(dates)
    last = harness.messages()[-1]
    assert (last.sequence, last.items, last.last_date) == (5, 3, spread(23)[-1])
    assert last.uri == "gs://landing/streams/ioc_stream/pages/0000000005.json"


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(minutes=11), timedelta(hours=3)])
def test_a_clock_ahead_of_the_sources_passes_over_nothing(harness: ForwarderHarness, ahead: timedelta) -> None:
    """Items that the source shows up to ten minutes late are found by the next pass, dated by the source's clock."""
    harness.second_look = timedelta()
    harness.source.clock = lambda: harness.now() - ahead
    for _ in range(4):
        at_the_source = harness.now() - ahead
        harness.source.add(*(at_the_source - timedelta(seconds=20 * step) for step in range(15)))
        harness.poll()
        harness.source.add(at_the_source - timedelta(minutes=9))
        harness.now.advance(minutes=5)
    harness.poll()
    harness.assert_all_logged_once()


@pytest.mark.parametrize(
    ("answered", "began"),
    [
        (None, NOON),
        (NOON + timedelta(days=400), NOON),
        (NOON - timedelta(seconds=1), NOON - timedelta(seconds=1)),
        (NOON - timedelta(hours=23), NOON - timedelta(hours=23)),
        (NOON - timedelta(days=20_000), NOON - timedelta(days=1)),
    ],
)
def test_a_date_that_cannot_be_is_believed_for_a_day_at_most(answered: datetime | None, began: datetime) -> None:
    """A Date is used for at most a day back, since a proxy may have set it, and never if it is later than our clock."""
    assert by_the_source(NOON, answered) == began


def test_the_first_walk_looks_back_as_far_as_the_settings_say(harness: ForwarderHarness) -> None:
    """Older items are not requested; the date is added to the filter of the settings."""
    harness.stream = changed(harness.stream, filter="origin:hunting", look_back_minutes=30)
    harness.source.add(*spread(3))
    harness.source.add(NOON)
    harness.poll()
    assert harness.source.asked[0].filter == "origin:hunting date:2026-11-21T11:30:00+"
    assert harness.source.asked[0].order == "date+"
    assert harness.logged().total() == 1


@pytest.mark.parametrize("brought", [3, 500])
def test_a_quiet_stream_costs_one_question_and_writes_no_page(harness: ForwarderHarness, brought: int) -> None:
    """Once the overlap has passed, earlier items are not read again."""
    harness.source.add(*[NOON] * brought)
    harness.poll()
    harness.now.advance(minutes=11)
    # The overlap holds all of it once more.
    harness.poll()
    pages = list(harness.pages())
    for _ in range(5):
        harness.now.advance(minutes=5)
        asked = len(harness.source.asked)
        harness.poll()
        assert len(harness.source.asked) == asked + 1
    assert list(harness.pages()) == pages


def test_an_empty_stream_is_looked_at_again(harness: ForwarderHarness) -> None:
    """Without any item there is no page, and the next poll continues where the first one stopped."""
    harness.poll()
    assert not list(harness.pages())
    harness.source.add(NOON)
    harness.poll()
    harness.assert_all_logged_once()


@pytest.mark.parametrize("way", ["nothing there", "trouble", "death"])
def test_an_outage_before_the_first_page_loses_nothing(harness: ForwarderHarness, way: str) -> None:
    """The start of the first pass is saved, so that a later poll does not begin at its own time."""
    if way == "nothing there":
        harness.poll()
    elif way == "trouble":
        harness.source.on_ask = lambda _: _fail(TransientError("503"), when=True)
        with pytest.raises(TransientError):
            harness.poll()
    else:
        with pytest.raises(CrashError):
            harness.poller(CrashSchedule(2)).poll(harness.stream)
    harness.source.on_ask = lambda _: None
    harness.source.add(NOON + timedelta(minutes=1))
    harness.now.advance(days=3)
    harness.poll()
    harness.assert_all_logged_once()


def test_an_open_walk_that_ends_without_new_items_is_not_taken_up_again(harness: ForwarderHarness) -> None:
    """The page that leaves it open can be the last one for days, and every poll sends one request."""
    harness.source.add(*[NOON] * 12)
    harness.poll()
    harness.now.advance(minutes=1)
    harness.source.add(NOON - timedelta(minutes=1))
    walk_pages(harness, 2)
    assert list(harness.pages())[-1].head.cursor
    harness.now.advance(minutes=15)
    harness.poll()
    asked = len(harness.source.asked)
    harness.poll()
    assert len(harness.source.asked) == asked + 1
    harness.assert_all_logged_once()


def test_a_quiet_week_is_no_loss(harness: ForwarderHarness, caplog: pytest.LogCaptureFixture) -> None:
    """Only a forwarder that did not poll for more than seven days logs that something can be lost."""
    harness.source.add(NOON)
    for _ in range(9):
        harness.poll()
        harness.now.advance(days=1)
    assert "secops.too_late" not in caplog.text
    harness.now.advance(days=7)
    harness.poll()
    assert caplog.text.count("secops.too_late: ioc_stream was read up to 2026-11-29 11:50:00") == 1
    harness.poll()
    assert caplog.text.count("secops.too_late") == 1


def test_a_source_that_keeps_everything_is_never_too_late(
    harness: ForwarderHarness, caplog: pytest.LogCaptureFixture
) -> None:
    """The source does not delete vulnerabilities."""
    harness.stream = changed(harness.stream, kept_days=None)
    harness.poll()
    harness.now.advance(days=70)
    harness.poll()
    assert "secops.too_late" not in caplog.text


@pytest.mark.parametrize("after", [False, True])
def test_a_death_at_any_step_loses_and_repeats_nothing(harness: ForwarderHarness, after: bool) -> None:
    """After a crash at any write or publish, done or not, the next poll continues from the log."""
    dates, steps, died = spread(14), 0, True
    while died:
        steps += 1
        harness = ForwarderHarness()
        harness.page_size, harness.limits = 4, SMALL
        harness.source.add(*dates)
        try:
            harness.poller(CrashSchedule(steps, after=after)).poll(harness.stream)
            died = False
        except CrashError:
            harness.source.add(NOON - timedelta(minutes=9))
            harness.poll()
        harness.assert_all_logged_once()
    assert steps > 6


def test_a_publish_that_fails_is_made_up_for(harness: ForwarderHarness) -> None:
    """An unpublished page in the log is published by the next poll."""
    harness.source.add(*spread(7))
    harness.pubsub.fail_with = Retryable("Pub/Sub is down")
    with pytest.raises(Retryable):
        harness.poll()
    harness.pubsub.fail_with = None
    harness.poll()
    harness.assert_all_logged_once()


def test_trouble_at_the_source_moves_nothing_and_keeps_what_came_before(harness: ForwarderHarness) -> None:
    """A 429 in the middle ends the poll with an error; the next one continues at the refused page."""
    harness.source.add(*spread(22))

    def refuse(number: int) -> None:
        if number == 4:
            raise TransientError("429")

    harness.source.on_ask = refuse
    with pytest.raises(TransientError):
        harness.poll()
    assert harness.logged().total() == 12
    harness.poll()
    harness.assert_all_logged_once()
    refused, again = harness.source.asked[3], harness.source.asked[4]
    assert refused == again


def test_a_cursor_that_is_refused_leads_back_to_the_watermark(harness: ForwarderHarness) -> None:
    """The expired cursor costs a request; nothing is lost or repeated."""
    harness.source.add(*spread(22))
    harness.source.on_ask = lambda number: _fail(TransientError("503"), number == 4)
    with pytest.raises(TransientError):
        harness.poll()
    stale = harness.source.asked[-1].cursor
    assert stale
    harness.source.expired.add(stale)
    harness.source.on_ask = lambda _: None
    harness.poll()
    harness.assert_all_logged_once()


def test_a_cursor_that_is_refused_in_the_middle_costs_nothing(harness: ForwarderHarness) -> None:
    """The same poll starts again at the end of the log."""
    harness.source.add(*spread(40, seconds=60))
    harness.source.on_ask = lambda number: _fail(RequestRefused("400 Invalid cursor"), number == 5)
    harness.poll()
    harness.assert_all_logged_once()


def test_a_filter_that_is_refused_is_an_error(harness: ForwarderHarness) -> None:
    """Without a cursor a refusal is not retried."""
    harness.source.on_ask = lambda _: _fail(RequestRefused('400: filter "x" is not valid'), when=True)
    with pytest.raises(RequestRefused, match="is not valid"):
        harness.poll()
    assert len(harness.source.asked) == 1


def test_cursors_that_are_always_refused_end_the_poll(harness: ForwarderHarness) -> None:
    """A source that refuses every cursor is an error; the poll does not loop for ever."""
    harness.source.add(*spread(22))
    harness.source.on_ask = lambda _: _fail(RequestRefused("400"), harness.source.asked[-1].cursor is not None)
    with pytest.raises(TransientError, match="again and again"):
        harness.poll()


def test_a_changed_filter_begins_at_the_watermark(harness: ForwarderHarness) -> None:
    """An open pass of the old filter is abandoned; its cursor is never used with the new one."""
    harness.source.add(*spread(22))
    harness.source.on_ask = lambda number: _fail(TransientError("503"), number == 4)
    with pytest.raises(TransientError):
        harness.poll()
    harness.source.on_ask = lambda _: None
    harness.stream = changed(harness.stream, filter="origin:hunting")
    asked = len(harness.source.asked)
    harness.poll()
    harness.assert_all_logged_once()
    assert harness.source.asked[asked].cursor is None
    assert all("origin:hunting" in question.filter for question in harness.source.asked[asked:])


def test_a_poll_whose_time_is_up_stops_cleanly_and_the_next_goes_on(harness: ForwarderHarness) -> None:
    """Each poll has time for one request and makes progress, even over pages without new items."""
    harness.source.add(*(NOON - timedelta(minutes=9, seconds=step) for step in range(30)))
    harness.poll()
    harness.source.add(NOON - timedelta(minutes=8))
    polls = 0
    while harness.logged().total() < 31:
        polls += 1
        assert not walk_pages(harness, 1)
    harness.assert_all_logged_once()
    assert polls <= 9


def walk_pages(harness: ForwarderHarness, count: int) -> bool:
    """Poll with time for this many requests; return whether the pass was completed."""
    harness.source.on_ask = lambda _: harness.now.advance(seconds=2)
    finished = harness.poller(deadline=timedelta(seconds=2 * count - 1)).poll(harness.stream).finished
    harness.source.on_ask = lambda _: None
    return finished


def test_an_item_that_appears_late_with_an_older_date_is_found(harness: ForwarderHarness) -> None:
    """Late items are found within the overlap, even during a long pass."""
    harness.source.add(*spread(30, seconds=120))

    def appear(number: int) -> None:
        if number == 8:
            harness.source.add(NOON - timedelta(minutes=8))

    harness.source.on_ask = appear
    harness.poll()
    harness.source.on_ask = lambda _: None
    harness.source.add(NOON - timedelta(minutes=5))
    harness.poll()
    harness.assert_all_logged_once()


def test_of_few_items_one_that_appears_days_late_is_found(harness: ForwarderHarness) -> None:
    """A stream of few items is read as far back as one request allows, without extra cost."""
    harness.source.add(*spread(2))
    for _ in range(5):
        harness.poll()
        harness.now.advance(days=1)
    harness.source.add(NOON - timedelta(minutes=59))
    asked = len(harness.source.asked)
    harness.poll()
    harness.assert_all_logged_once()
    assert len(harness.source.asked) == asked + 1


def test_an_item_that_appears_late_during_a_long_walk_is_found(harness: ForwarderHarness) -> None:
    """The next pass begins the overlap before this one's start, not before its newest date."""
    harness.page_size = 1
    harness.source.add(HOUR_AGO)

    def time_passes(number: int) -> None:
        harness.now.advance(minutes=4)
        harness.source.add(harness.now())
        if number == 5:
            harness.source.add(harness.now() - timedelta(minutes=9))
        if number == 10:
            harness.source.on_ask = lambda _: None

    harness.source.on_ask = time_passes
    harness.poller(deadline=timedelta(hours=9)).poll(harness.stream)
    harness.poll()
    harness.assert_all_logged_once()


def test_a_walk_that_is_gone_on_with_is_followed_by_a_new_one(harness: ForwarderHarness) -> None:
    """Items that appeared behind an open pass are found by the poll that completes it."""
    harness.source.add(*(NOON - timedelta(minutes=9, seconds=step) for step in range(12)))
    walk_pages(harness, 2)
    harness.source.add(NOON - timedelta(minutes=9, seconds=30))
    harness.poll()
    harness.assert_all_logged_once()


@pytest.mark.parametrize("steps", range(1, 16))
def test_a_source_page_that_fills_several_pages_may_span_more_than_the_overlap(
    harness: ForwarderHarness, steps: int
) -> None:
    """A poll that crashes between them repeats nothing, however far apart the dates on one source page are."""
    harness.page_size, harness.limits = 7, Limits(bytes=5_000, logs=2)
    harness.stream = changed(harness.stream, look_back_minutes=7 * 24 * 60)
    harness.source.add(*(NOON - timedelta(hours=hours) for hours in range(16, 0, -1)))
    with pytest.raises(CrashError):
        harness.poller(CrashSchedule(steps)).poll(harness.stream)
    with suppress(CrashError):
        harness.poller(CrashSchedule(steps + 2)).poll(harness.stream)
    harness.poll()
    harness.assert_all_logged_once()


def test_an_item_that_the_source_gives_twice_is_kept_once(harness: ForwarderHarness) -> None:
    """The item is on one source page or on two."""
    harness.source.add(*spread(9))
    twice = harness.source.page
    harness.source.page = lambda question: _doubled(twice(question))  # type: ignore[method-assign]
    harness.poll()
    harness.assert_all_logged_once()


def _doubled(page: Listing) -> Listing:
    return Listing((*page.items, *page.items), page.cursor)


def test_two_polls_at_once_write_no_page_twice(harness: ForwarderHarness) -> None:
    """Another poll may run before any request; every notification is in one page."""
    dates = spread(22)
    for moment in range(1, 8):
        harness = ForwarderHarness()
        harness.page_size, harness.limits = 4, SMALL
        harness.source.add(*dates)
        between(harness, moment)
        harness.poll()
        harness.assert_all_logged_once()


def between(harness: ForwarderHarness, moment: int) -> None:
    """Run another complete poll before the source responds to a request."""

    def interrupt(number: int) -> None:
        if number == moment:
            harness.source.on_ask = lambda _: None
            harness.poll()

    harness.source.on_ask = interrupt


def test_equal_dates_at_a_page_edge_are_not_lost(harness: ForwarderHarness) -> None:
    """Many notifications have the same second, more than a page has."""
    harness.source.add(*[HOUR_AGO] * 13)
    harness.poll()
    harness.poll()
    harness.assert_all_logged_once()


def test_one_entity_in_many_notifications_is_many_notifications(harness: ForwarderHarness) -> None:
    """The key is the notification's id, not the entity's."""
    harness.source.add(HOUR_AGO, HOUR_AGO)
    for item in harness.source.items:
        item["id"] = "same.example"
    harness.poll()
    harness.assert_all_logged_once()


def test_items_without_id_and_date_are_kept_once(harness: ForwarderHarness) -> None:
    """Undocumented items are forwarded too, identified by their content."""
    harness.source.add(*spread(3))
    page = harness.source.page
    harness.source.page = lambda question: _nameless(page(question))  # type: ignore[method-assign]
    harness.poll()
    harness.poll()
    assert sum(len(found.items) for found in harness.pages()) == 3


def _nameless(page: Listing) -> Listing:
    return Listing(tuple(as_given({**item.known, "context_attributes": {}}) for item in page.items), page.cursor)


@pytest.mark.parametrize("depth", [300, 985, 5000])
def test_an_item_that_is_nested_too_deeply_holds_nothing_up(harness: ForwarderHarness, depth: int) -> None:
    """It is logged once, unchanged, and all other items are logged too."""
    harness.source.add(*[NOON] * 10)
    deep = b'{"a": ' * depth + b"1" + b"}" * depth
    texts = [json.dumps(item).encode() for item in harness.source.items]
    answer = b'{"data": [%b], "meta": {"count": 11}}' % b", ".join([*texts[:4], deep, *texts[4:]])
    harness.source.page = lambda _: read_listing(answer, STREAM.fields)  # type: ignore[method-assign,assignment,return-value]
    harness.poll()
    harness.poll()
    items = [item for page in harness.pages() for item in page.items]
    assert len(items) == 11
    assert [json.loads(item) for item in items if not item.startswith(b'{"a"')] == harness.source.items
    assert items[4].replace(b" ", b"") == deep.replace(b" ", b"")


def test_a_lost_hint_repeats_messages_and_no_page(harness: ForwarderHarness) -> None:
    """The end of the log is found by reading the pages."""
    harness.source.add(*spread(12))
    harness.poll()
    harness.bucket.delete("state/streams/ioc_stream.json")
    harness.poll()
    harness.assert_all_logged_once()
    assert Counter(message.sequence for message in harness.messages()) == {1: 2, 2: 2, 3: 2}


def test_pages_that_the_bucket_has_deleted_do_not_begin_the_log_anew(harness: ForwarderHarness) -> None:
    """After a quiet month the last page may be deleted; its number is never reused."""
    harness.source.add(*spread(3))
    harness.poll()
    harness.bucket.delete(page_name("ioc_stream", 1))
    harness.now.advance(hours=1)
    harness.source.add(harness.now())
    harness.poll()
    assert harness.messages()[-1].sequence == 2


def test_the_key_is_the_streams_own(harness: ForwarderHarness) -> None:
    """A vulnerability that is modified is logged again; others are not."""
    stream = changed(harness.stream, key=["id", "context_attributes.notification_date"])
    assert stream.key_of(world_item(harness)) == f"host-1.example {int(HOUR_AGO.timestamp())}"
    assert changed(stream, key=["id", "missing"]).key_of(world_item(harness)) is None


def world_item(harness: ForwarderHarness) -> dict[str, object]:
    """Return one item."""
    harness.source.add(HOUR_AGO)
    return harness.source.items[0]


def _fail(error: Exception, when: bool) -> None:
    if when:
        raise error


def test_the_published_messages_carry_stream_and_sequence(harness: ForwarderHarness) -> None:
    """Subscriptions can filter by the attributes."""
    harness.source.add(HOUR_AGO)
    harness.poll()
    [message] = harness.pubsub.published[IOC_PAGES]
    assert message.attributes == {"stream": "ioc_stream", "sequence": "1"}


def test_a_page_of_another_stream_is_refused_by_name() -> None:
    """A manually assembled log is not continued."""
    harness = ForwarderHarness()
    harness.source.add(NOON)
    harness.poll()
    stored = harness.bucket.objects[page_name("ioc_stream", 1)]
    harness.bucket.create(page_name("ioc_stream", 2), stored.data)
    with pytest.raises(Misconfigured, match=r"0000000002\.json is page 1 of stream 'ioc_stream'"):
        harness.poll()


def test_a_poll_ends_at_the_time_that_it_is_given(harness: ForwarderHarness) -> None:
    """Streams share the time of a run; the rest is left to the next poll."""
    harness.page_size = 1
    harness.poll()
    harness.source.add(*(NOON for _ in range(9)))
    harness.source.on_ask = lambda _: harness.now.advance(seconds=1)
    assert not harness.poller().poll(harness.stream, harness.now() + timedelta(seconds=3)).finished
    assert 0 < sum(harness.logged().values()) < 9
    harness.poll()
    harness.assert_all_logged_once()


def test_pages_for_bigquery_alone_are_never_delivered(harness: ForwarderHarness) -> None:
    """They have no message, and republish, audit and status expect none; a crash before that record changes nothing."""
    harness.stream = harness.stream.model_copy(update={"to_secops": False})
    harness.source.add(harness.now() - timedelta(minutes=1))
    for steps in range(12):
        with suppress(CrashError):
            harness.poller(CrashSchedule(steps)).poll(harness.stream)
    harness.poll()
    assert harness.logged() == Counter(id_of(item) for item in harness.source.items)
    assert harness.messages() == []
    delivery = find_delivery(harness.bucket, page_name("ioc_stream", 1))
    assert delivery
    assert (delivery.finished, delivery.items) == (True, 0)
    harness.now.advance(hours=5)
    harness.poll()
    assert harness.messages() == []
    [audited] = audit_streams(harness.bucket, harness.now() - timedelta(days=1), deep=True, now=harness.now())
    assert audited.findings == ()
    log = StreamReader(harness.bucket, "ioc_stream").read(harness.now())
    assert log
    assert list(stream_status(log, [], harness.now()).problems()) == []
