"""Delivering a page: under a lease, chunk by chunk, each recorded before the next."""

import json
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from math import ceil, log2

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.topology import read_topology
from services.secops_forwarder.importer.chunks import Limits
from services.secops_forwarder.importer.client import REFRESH_SECONDS, SENT_AT_MOST, TIMEOUT
from services.secops_forwarder.importer.errors import DestinationRefused, ImportRefused
from shared.contracts.dead_letters import ERROR_TYPE, REASON
from shared.contracts.messages import IOC_PAGES, IocPageLanded, dead_letter_topic
from shared.contracts.outcomes import RETRY_SECONDS, Misconfigured, Poison, Retryable, TransientError
from shared.operations.feed_conditions import destination_conditions
from shared.streams.delivery_progress import LEASE, LONGEST_IMPORT_SECONDS, Delivery, find_delivery
from shared.streams.page_log import page_name, read_page, write_page
from tests.support.doubles import NOON
from tests.support.streams import CrashError, CrashSchedule, ForwarderHarness, id_of

# Two notifications of the builder to a request.
TWO = Limits(bytes=3_900_000, logs=2)
# What an item of 9,000 bytes does not fit into, and three plain ones do.
TIGHT = Limits(bytes=10_000, logs=100)


def landed(count: int = 5, big: int | None = None) -> tuple[ForwarderHarness, IocPageLanded]:
    """Return a harness with one page of this many items, one of which may be big, and the page's message."""
    harness = ForwarderHarness()
    harness.source.add(*(NOON - timedelta(seconds=count - number) for number in range(count)))
    if big is not None:
        harness.source.items[big]["attributes"]["whois"] = "x" * 9_000
    harness.poll()
    [message] = harness.messages()
    return harness, message


def delivery(harness: ForwarderHarness, message: IocPageLanded) -> Delivery:
    """Return a page's delivery object."""
    found = find_delivery(harness.bucket, harness.bucket.name_of(message.uri))
    assert found
    return found


def every_id(harness: ForwarderHarness) -> Counter[str]:
    """Return each of the source's notifications once."""
    return Counter(id_of(item) for item in harness.source.items)


def test_a_page_is_delivered_once_however_often_it_is_pushed() -> None:
    """The second delivery finds the first one's record and posts nothing."""
    harness, message = landed()
    harness.importer(limits=TWO).handle(message)
    harness.importer(limits=TWO).handle(message)
    assert harness.secops.ids() == every_id(harness)
    found = delivery(harness, message)
    assert (found.items, found.done, found.accepted, found.requests, found.dead) == (5, 5, 5, 3, 0)
    assert found.held_until is None


def test_items_travel_in_order_under_the_streams_log_type() -> None:
    """The order is that of the page."""
    harness, message = landed()
    harness.importer(limits=TWO).handle(message)
    assert [id_of(item) for item in harness.secops.items()] == [id_of(item) for item in harness.source.items]
    assert harness.secops.log_types == {"GTI_IOC_STREAM_CUSTOM"}


@pytest.mark.parametrize("failed", [1, 2, 3])
def test_a_redelivery_sends_only_the_rest(failed: int) -> None:
    """Items that were accepted before a failure are never sent again."""
    harness, message = landed()
    harness.secops.answers = [(None, True)] * (failed - 1) + [(TransientError("503"), False)]
    with pytest.raises(TransientError):
        harness.importer(limits=TWO).handle(message)
    assert delivery(harness, message).accepted == 2 * (failed - 1)
    harness.importer(limits=TWO).handle(message)
    assert harness.secops.ids() == every_id(harness)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("steps", range(1, 5))
def test_a_death_at_any_step_repeats_at_most_one_request(steps: int, after: bool) -> None:
    """The lease of a crashed delivery expires; the next one continues after the last record."""
    harness, message = landed()
    with pytest.raises(CrashError):
        harness.importer(CrashSchedule(steps, after=after), limits=TWO).handle(message)
    sent = len(harness.secops.bodies)
    if steps > 1 or after:
        assert_held(harness, message)
        harness.now.advance(seconds=LEASE.total_seconds() + 1)
    harness.importer(limits=TWO).handle(message)
    assert set(harness.secops.ids()) == set(every_id(harness))
    repeated = harness.secops.ids() - every_id(harness)
    assert repeated.total() <= (0 if after else 2)
    assert all(body in harness.secops.bodies[:sent] for body in _repeated(harness.secops.bodies))


def assert_held(harness: ForwarderHarness, message: IocPageLanded) -> None:
    """Another delivery is refused, unless the crash left no lease."""
    if not delivery(harness, message).finished:
        with pytest.raises(Retryable, match="another delivery holds this page"):
            harness.importer(limits=TWO).handle(message)


def _repeated(bodies: list[bytes]) -> set[bytes]:
    return {body for body, count in Counter(bodies).items() if count > 1}


def test_two_deliveries_of_one_message_never_post_at_once() -> None:
    """While the first delivery waits for SecOps, the second is nacked."""
    harness, message = landed()
    refused = []

    def deliver_again() -> None:
        harness.secops.on_post = lambda: None
        try:
            harness.importer(limits=TWO).handle(message)
        except Retryable as error:
            refused.append(str(error))

    harness.secops.on_post = deliver_again
    harness.importer(limits=TWO).handle(message)
    assert len(refused) == 1
    assert harness.secops.ids() == every_id(harness)


def test_a_delivery_that_lost_its_lease_stops() -> None:
    """Its lease expired and another delivery took over, so it posts nothing more."""
    harness, message = landed()

    def sleep() -> None:
        harness.secops.on_post = lambda: None
        harness.now.advance(seconds=LEASE.total_seconds() + 1)
        harness.importer(limits=TWO).handle(message)

    harness.secops.on_post = sleep
    with pytest.raises(Retryable, match="another delivery has taken this page"):
        harness.importer(limits=TWO).handle(message)
    # The one request that the sleeper was in the middle of.
    assert (harness.secops.ids() - every_id(harness)).total() == 2
    assert delivery(harness, message).finished


def test_a_lost_answer_is_repeated_byte_for_byte() -> None:
    """Accepted, but the response was lost: the only case of a duplicate in SecOps."""
    harness, message = landed()
    harness.secops.answers = [(TransientError("timeout"), True)]
    with pytest.raises(TransientError):
        harness.importer(limits=TWO).handle(message)
    harness.now.advance(hours=1)
    harness.importer(limits=TWO).handle(message)
    assert harness.secops.bodies[0] == harness.secops.bodies[1]
    assert (harness.secops.ids() - every_id(harness)).total() == 2


def refuse(harness: ForwarderHarness, *numbers: int, error: ImportRefused | None = None) -> None:
    """Make SecOps refuse every request with one of these items."""
    bad = {id_of(harness.source.items[number]) for number in numbers}
    harness.secops.refuses = lambda ids: (error or ImportRefused("400")) if bad & ids else None


def dead_ids(harness: ForwarderHarness) -> list[str]:
    """Return the notification of every dead letter, in order."""
    letters = [
        IocPageLanded.model_validate_json(one.body) for one in harness.pubsub.published[dead_letter_topic(IOC_PAGES)]
    ]
    stored = [harness.bucket.read(harness.bucket.name_of(letter.uri)) for letter in letters]
    return [id_of(read_page(one.data, "").item(0)) for one in stored if one]


def test_a_refused_log_stands_alone_and_the_others_are_accepted() -> None:
    """One of thirty notifications is refused: 29 are accepted, and it is a dead letter with the server's message."""
    harness, message = landed(30)
    refuse(harness, 14, error=ImportRefused("logs:import was answered 400: INVALID_ARGUMENT: bad log"))
    harness.importer().handle(message)
    bad = id_of(harness.source.items[14])
    assert harness.secops.ids() == every_id(harness) - Counter([bad])
    [dead] = harness.pubsub.published[dead_letter_topic(IOC_PAGES)]
    assert dead.attributes[REASON] == f"item {bad}: logs:import was answered 400: INVALID_ARGUMENT: bad log"
    assert dead.attributes[ERROR_TYPE] == "secops_refused"
    assert dead_ids(harness) == [bad]
    found = delivery(harness, message)
    assert (found.done, found.accepted, found.dead, found.finished) == (30, 29, 1, True)
    assert len(harness.secops.asked) <= 2 * 5 + 1
    harness.importer().handle(message)
    assert len(harness.pubsub.published[dead_letter_topic(IOC_PAGES)]) == 1


def test_a_refused_log_can_be_sent_again_once_it_is_taken() -> None:
    """It is in a separate page; while it is refused it is dead-lettered again."""
    harness, message = landed(3)
    refuse(harness, 1)
    harness.importer().handle(message)
    alone = IocPageLanded.model_validate_json(harness.pubsub.published[dead_letter_topic(IOC_PAGES)][0].body)
    with pytest.raises(Poison, match=r"item .*: 400") as caught:
        harness.importer().handle(alone)
    assert caught.value.error_type == "secops_refused"
    harness.secops.refuses = lambda _: None
    harness.importer().handle(alone)
    assert harness.secops.ids() == every_id(harness)


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(1, 24),
    logs=st.integers(1, 24),
    bad=st.sets(st.integers(0, 23)),
    deaths=st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=4),
)
def test_any_refused_logs_are_dead_and_all_others_accepted_once(
    count: int, logs: int, bad: set[int], deaths: list[tuple[int, bool]]
) -> None:
    """After any crash only requests that were accepted but not recorded are sent again, byte for byte."""
    harness, message = landed(count)
    refused = {number for number in bad if number < count}
    refuse(harness, *refused)
    for steps, after in deaths:
        with suppress(CrashError, Poison):
            harness.importer(CrashSchedule(steps, after=after), limits=Limits(3_900_000, logs)).handle(message)
        harness.now.advance(seconds=LEASE.total_seconds() + 1)
    with suppress(Poison):
        harness.importer(limits=Limits(3_900_000, logs)).handle(message)
    dead = {id_of(harness.source.items[number]) for number in refused}
    assert set(harness.secops.ids()) == set(every_id(harness)) - dead
    assert set(dead_ids(harness)) == dead or count == 1
    found = delivery(harness, message)
    assert (found.accepted, found.dead) == (count - len(dead), len(dead))
    once = Counter(one for body in set(harness.secops.bodies) for one in harness.secops.ids_of(body))
    assert max(once.values(), default=0) <= 1
    assert harness.secops.ids().total() <= once.total() + len(deaths) * logs


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 64), bad=st.integers(0, 63))
def test_one_refused_log_costs_a_logarithm_of_requests(count: int, bad: int) -> None:
    """One request per halving on the way down, and one for each other half."""
    harness, message = landed(count)
    refuse(harness, bad % count)
    harness.importer().handle(message)
    assert len(harness.secops.asked) <= 2 * ceil(log2(count)) + 1


@pytest.mark.parametrize("limit", [Limits(bytes=3_900_000, logs=7), Limits(bytes=5_000, logs=1000)])
def test_a_tenant_that_takes_less_gets_less(limit: Limits, caplog: pytest.LogCaptureFixture) -> None:
    """The limit, in bytes or logs, is found once, logged once, and kept for the rest of the process."""
    harness = ForwarderHarness()
    harness.limits = Limits(bytes=3_900_000, logs=50)
    harness.source.add(*(NOON - timedelta(seconds=200 - number) for number in range(200)))
    harness.poll()
    harness.secops.takes = limit
    importer = harness.importer()
    for message in harness.messages():
        importer.handle(message)
    assert harness.secops.ids() == every_id(harness)
    assert not harness.pubsub.published[dead_letter_topic(IOC_PAGES)]
    assert harness.secops.refused <= ceil(log2(50)) + 1
    assert caplog.text.count("secops.smaller_limit") == 1


@pytest.mark.parametrize(
    ("limit", "of_large", "of_small"),
    [(Limits(bytes=100_000, logs=1000), 7, 50), (Limits(bytes=3_900_000, logs=7), 7, 7)],
)
@pytest.mark.parametrize("large_first", [True, False])
def test_a_limit_of_bytes_is_none_of_logs(limit: Limits, of_large: int, of_small: int, *, large_first: bool) -> None:
    """What was learned with large logs lets many small ones into a request, and the other way round."""
    harness = ForwarderHarness()
    harness.limits = Limits(bytes=3_900_000, logs=50)
    for large in (large_first, not large_first) * 2:
        new = len(harness.source.items)
        harness.source.add(*(NOON + timedelta(seconds=new + number) for number in range(50)))
        for item in harness.source.items[new:]:
            item["attributes"]["whois"] = "x" * (9_000 if large else 10)
        harness.now.advance(minutes=1)
        harness.poll()
    harness.secops.takes = limit
    importer = harness.importer()
    sent = []
    for message in harness.messages():
        before = len(harness.secops.bodies)
        importer.handle(message)
        sent.append(len(harness.secops.bodies) - before)
    assert harness.secops.ids() == every_id(harness)
    wanted = [ceil(50 / of_large), ceil(50 / of_small)][:: 1 if large_first else -1]
    assert sent[2:] == wanted
    assert harness.secops.refused <= 2 * ceil(log2(50))


def test_a_tenant_that_takes_less_than_before_gets_less() -> None:
    """A limit that is lowered while the process runs is found too."""
    harness = ForwarderHarness()
    harness.limits = Limits(bytes=3_900_000, logs=50)
    harness.source.add(*(NOON - timedelta(seconds=200 - number) for number in range(200)))
    harness.poll()
    importer = harness.importer()
    for logs, message in zip((40, 20, 20, 5), harness.messages(), strict=True):
        harness.secops.takes = Limits(bytes=3_900_000, logs=logs)
        importer.handle(message)
    assert harness.secops.ids() == every_id(harness)
    assert harness.secops.refused <= 2 * ceil(log2(50))


def test_a_log_that_no_tenant_takes_is_oversize() -> None:
    """A 413 for the single log; the others are accepted."""
    harness, message = landed(8, big=3)
    harness.secops.takes = Limits(bytes=9_000, logs=1000)
    harness.importer().handle(message)
    assert harness.secops.ids() == every_id(harness) - Counter([id_of(harness.source.items[3])])
    [dead] = harness.pubsub.published[dead_letter_topic(IOC_PAGES)]
    assert dead.attributes[ERROR_TYPE] == "oversize"


def test_a_condition_of_the_destination_is_no_dead_letter() -> None:
    """403 and 404: the page is redelivered; one condition is recorded, and the first acceptance removes it."""
    harness, message = landed()
    conditions = destination_conditions(harness.bucket)
    for minute in range(3):
        harness.secops.answers = [(DestinationRefused(f"403, minute {minute}"), False)]
        with pytest.raises(DestinationRefused):
            harness.importer().handle(message)
        condition = conditions.read("ioc_stream")
        assert condition
        found = condition.reason, condition.since, condition.error_type
        assert found == (f"403, minute {minute}", NOON, "misconfigured")
        harness.now.advance(minutes=1)
    assert not harness.pubsub.published[dead_letter_topic(IOC_PAGES)]
    harness.importer().handle(message)
    assert conditions.read("ioc_stream") is None
    assert harness.secops.ids() == every_id(harness)


def test_requests_name_the_page_that_they_come_from() -> None:
    """Some log types lose logs without it; for a separate page it is that page's address."""
    harness, message = landed(3)
    refuse(harness, 1)
    harness.importer().handle(message)
    sources = {json.loads(body)["inline_source"]["source_filename"] for body in harness.secops.bodies}
    assert sources == {message.uri}


def test_a_lease_outlasts_the_longest_call() -> None:
    """The last attempt begins before the retries are spent, may be repeated with a new token, and waits to the end."""
    longest = RETRY_SECONDS + SENT_AT_MOST * sum(TIMEOUT) + REFRESH_SECONDS
    assert TIMEOUT[1] >= 120
    assert longest <= LONGEST_IMPORT_SECONDS < LEASE.total_seconds()
    assert read_topology().services["secops-import"].timeout_seconds > LONGEST_IMPORT_SECONDS


def test_a_refused_token_blames_no_page() -> None:
    """An operator must fix the credentials; the page is redelivered."""
    harness, message = landed()
    harness.secops.answers = [(Misconfigured("401"), False)]
    with pytest.raises(Misconfigured):
        harness.importer().handle(message)
    assert delivery(harness, message).held_until is None
    harness.importer().handle(message)
    assert harness.secops.ids() == every_id(harness)


def test_an_oversize_item_is_set_aside_and_the_rest_goes_on() -> None:
    """It is kept as a page of one item, dead-lettered with its id and size, and counted."""
    harness, message = landed(big=2)
    harness.importer(limits=TIGHT).handle(message)
    big = harness.source.items[2]
    assert harness.secops.ids() == every_id(harness) - Counter([id_of(big)])
    [dead] = harness.pubsub.published[dead_letter_topic(IOC_PAGES)]
    assert f"item {id_of(big)} needs a request of 1" in dead.attributes[REASON]
    assert "above the limit of 10000" in dead.attributes[REASON]
    found = delivery(harness, message)
    assert (found.done, found.accepted, found.oversize, found.dead) == (5, 4, (2,), 1)
    alone = IocPageLanded.model_validate_json(dead.body)
    stored = harness.bucket.read(harness.bucket.name_of(alone.uri))
    assert stored
    page = read_page(stored.data, alone.uri)
    assert (len(page.items), page.item(0)) == (1, big)


def test_an_oversize_item_can_be_sent_once_the_limit_is_raised() -> None:
    """Its page can be redriven like any other; while it is too large it is dead-lettered again."""
    harness, message = landed(big=2)
    harness.importer(limits=TIGHT).handle(message)
    alone = IocPageLanded.model_validate_json(harness.pubsub.published[dead_letter_topic(IOC_PAGES)][0].body)
    with pytest.raises(Poison, match="above the limit"):
        harness.importer(limits=TIGHT).handle(alone)
    harness.importer().handle(alone)
    assert harness.secops.ids() == every_id(harness)


def test_an_oversize_item_is_dead_lettered_once_when_its_page_is_delivered_again() -> None:
    """Its record is kept if the rest of the page fails."""
    harness, message = landed(big=0)
    harness.secops.answers = [(TransientError("503"), False)]
    with pytest.raises(TransientError):
        harness.importer(limits=TIGHT).handle(message)
    harness.importer(limits=TIGHT).handle(message)
    assert len(harness.pubsub.published[dead_letter_topic(IOC_PAGES)]) == 1
    assert delivery(harness, message).finished


def test_a_page_of_oversize_items_alone_ends_too() -> None:
    """Every item is set aside, and nothing is posted."""
    harness, message = landed(count=2, big=0)
    harness.source.items[1]["attributes"]["whois"] = "x"
    harness.importer(limits=Limits(bytes=100, logs=9)).handle(message)
    assert not harness.secops.bodies
    assert (delivery(harness, message).finished, delivery(harness, message).dead) == (True, 2)


def test_a_page_without_items_is_done_at_once() -> None:
    """It only has the cursor of a poll that reached its deadline."""
    harness, message = landed()
    name = harness.bucket.name_of(message.uri)
    stored = harness.bucket.read(name)
    assert stored
    head = read_page(stored.data, name).head
    harness.bucket.replace(name, head.model_dump_json().encode()[:-1] + b',"items":[]}', stored.generation)
    harness.importer().handle(message.model_copy(update={"items": 0}))
    assert not harness.secops.bodies


def with_last_item(harness: ForwarderHarness, message: IocPageLanded, text: bytes) -> None:
    """Replace a page's last item."""
    name = harness.bucket.name_of(message.uri)
    stored = harness.bucket.read(name)
    assert stored
    page = read_page(stored.data, name)
    harness.bucket.replace(name, write_page(page.head, [*page.items[:-1], text]), stored.generation)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"id":"\xff"}', "item 4 of page 1 of 'ioc_stream' is not valid JSON"),
        (b'{"a":' * 985 + b"1" + b"}" * 985, "item None: nested too deeply to be cleaned"),
        (
            b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
            "item 4 of page 1 of 'ioc_stream' is not valid JSON: nested too deeply",
        ),
    ],
)
def test_an_item_that_cannot_be_read_is_set_aside_with_its_reason(text: bytes, reason: str) -> None:
    """The other items of its page are delivered."""
    harness, message = landed()
    with_last_item(harness, message, text)
    harness.importer(limits=TWO).handle(message)
    found = delivery(harness, message)
    assert (found.done, found.accepted, found.dead, found.oversize) == (5, 4, 1, (4,))
    [dead] = harness.pubsub.published[dead_letter_topic(IOC_PAGES)]
    assert dead.attributes[REASON].startswith(reason)
    assert dead.attributes[ERROR_TYPE] == "invalid_page"
    alone = IocPageLanded.model_validate_json(dead.body)
    with pytest.raises(Poison, match=reason.split(" ", 2)[0]):
        harness.importer().handle(alone)


def test_verbatim_items_may_be_nested_as_deep_as_they_like() -> None:
    """They are sent unchanged."""
    harness, message = landed()
    with_last_item(harness, message, b'{"a":' * 985 + b"1" + b"}" * 985)
    harness.clean = False
    harness.importer().handle(message)
    assert delivery(harness, message).accepted == 5


def test_a_changed_limit_between_two_deliveries_repeats_nothing() -> None:
    """The record counts items, so the rest may be split differently."""
    harness, message = landed()
    harness.secops.answers = [(None, True), (TransientError("503"), False)]
    with pytest.raises(TransientError):
        harness.importer(limits=TWO).handle(message)
    harness.importer(limits=Limits(bytes=3_900_000, logs=1)).handle(message)
    assert harness.secops.ids() == every_id(harness)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stream": "nonsense"}, "stream 'nonsense' is not switched on here; STREAMS has: ioc_stream"),
        ({"uri": "gs://elsewhere/streams/ioc_stream/pages/0000000001.json"}, "is not a page of 'ioc_stream' in bucket"),
        ({"uri": "gs://landing/state/planner/domains.json"}, "is not a page of"),
        ({"uri": "gs://landing/streams/ioc_stream/pages/../../../state/planner/domains.json"}, "is not a page of"),
        ({"uri": "gs://landing/streams/vulnerabilities/pages/0000000001.json"}, "is not a page of"),
        ({"uri": "gs://landing/streams/ioc_stream/pages/0000000001.delivery.json"}, "is not a page of"),
        ({"uri": "gs://landing/streams/ioc_stream/pages/0000000009.json"}, "does not exist"),
    ],
)
def test_a_message_about_no_page_is_poison(change: dict[str, str], reason: str) -> None:
    """The reason has the value."""
    harness, message = landed()
    with pytest.raises(Poison, match=reason):
        harness.importer().handle(message.model_copy(update=change))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"items":[]}'])
def test_an_object_that_is_no_page_is_poison(content: bytes) -> None:
    """Reading it again would not help."""
    harness, message = landed()
    name = page_name("ioc_stream", 1)
    stored = harness.bucket.read(name)
    assert stored
    harness.bucket.replace(name, content, stored.generation)
    with pytest.raises(Poison, match="is no"):
        harness.importer().handle(message)
