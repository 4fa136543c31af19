"""Delivering a page: under a lease, chunk by chunk, each recorded before the next."""

from collections import Counter
from datetime import timedelta

import pytest

from shared.dead_letters import REASON
from shared.messages import IOC_PAGES, IocPageLanded, dead_letter_topic
from shared.outcomes import Misconfigured, Poison, Retryable
from shared.secops.chunks import Limits
from shared.secops.delivery import LEASE, Delivery, delivery_name, read_delivery
from shared.secops.errors import ImportRefused, SecOpsTrouble
from shared.secops.pages import page_name, read_page, write_page
from tests.doubles import NOON
from tests.streams import DiedError, Life, World, id_of

# Two notifications of the builder to a request.
TWO = Limits(bytes=3_900_000, logs=2)
# What an item of 9,000 bytes does not fit into, and three plain ones do.
TIGHT = Limits(bytes=10_000, logs=100)


def landed(count: int = 5, big: int | None = None) -> tuple[World, IocPageLanded]:
    """Return a world with one page of so many items, of which one may be big, and the page's message."""
    world = World()
    world.source.add(*(NOON - timedelta(seconds=count - number) for number in range(count)))
    if big is not None:
        world.source.items[big]["attributes"]["whois"] = "x" * 9_000
    world.poll()
    [message] = world.messages()
    return world, message


def delivery(world: World, message: IocPageLanded) -> Delivery:
    """Return a page's delivery object."""
    name = delivery_name(message.uri.removeprefix(world.bucket.uri("")))
    stored = world.bucket.read(name)
    assert stored
    return read_delivery(stored.data, name)


def every_id(world: World) -> Counter[str]:
    """Return each of the source's notifications once."""
    return Counter(id_of(item) for item in world.source.items)


def test_a_page_is_delivered_once_however_often_it_is_pushed() -> None:
    """The second delivery finds the first one's record and posts nothing."""
    world, message = landed()
    world.importer(limits=TWO).handle(message)
    world.importer(limits=TWO).handle(message)
    assert world.secops.ids() == every_id(world)
    found = delivery(world, message)
    assert (found.items, found.done, found.accepted, found.requests, found.dead) == (5, 5, 5, 3, 0)
    assert found.held_until is None


def test_items_travel_in_order_under_the_streams_log_type() -> None:
    """As the page has them."""
    world, message = landed()
    world.importer(limits=TWO).handle(message)
    assert [id_of(item) for item in world.secops.items()] == [id_of(item) for item in world.source.items]
    assert world.secops.log_types == {"GTI_IOC_STREAM"}


@pytest.mark.parametrize("failed", [1, 2, 3])
def test_a_redelivery_sends_only_the_rest(failed: int) -> None:
    """What was accepted before the trouble is never sent again."""
    world, message = landed()
    world.secops.answers = [(None, True)] * (failed - 1) + [(SecOpsTrouble("503"), False)]
    with pytest.raises(SecOpsTrouble):
        world.importer(limits=TWO).handle(message)
    assert delivery(world, message).accepted == 2 * (failed - 1)
    world.importer(limits=TWO).handle(message)
    assert world.secops.ids() == every_id(world)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("steps", range(1, 5))
def test_a_death_at_any_step_repeats_at_most_one_request(steps: int, after: bool) -> None:
    """The lease of the dead runs out; the next delivery goes on behind the last record."""
    world, message = landed()
    with pytest.raises(DiedError):
        world.importer(Life(steps, after=after), limits=TWO).handle(message)
    sent = len(world.secops.bodies)
    if steps > 1 or after:
        assert_held(world, message)
        world.now.advance(seconds=LEASE.total_seconds() + 1)
    world.importer(limits=TWO).handle(message)
    assert set(world.secops.ids()) == set(every_id(world))
    repeated = world.secops.ids() - every_id(world)
    assert repeated.total() <= (0 if after else 2)
    assert all(body in world.secops.bodies[:sent] for body in _repeated(world.secops.bodies))


def assert_held(world: World, message: IocPageLanded) -> None:
    """Another delivery is refused, unless the death left nothing to hold."""
    if not delivery(world, message).finished:
        with pytest.raises(Retryable, match="another delivery holds this page"):
            world.importer(limits=TWO).handle(message)


def _repeated(bodies: list[bytes]) -> set[bytes]:
    return {body for body, count in Counter(bodies).items() if count > 1}


def test_two_deliveries_of_one_message_never_post_at_once() -> None:
    """While the first one waits for SecOps, the second is to be delivered again later."""
    world, message = landed()
    refused = []

    def deliver_again() -> None:
        world.secops.on_post = lambda: None
        try:
            world.importer(limits=TWO).handle(message)
        except Retryable as error:
            refused.append(str(error))

    world.secops.on_post = deliver_again
    world.importer(limits=TWO).handle(message)
    assert len(refused) == 1
    assert world.secops.ids() == every_id(world)


def test_a_delivery_that_lost_its_lease_stops() -> None:
    """It slept past its end, another one took over: the sleeper posts nothing more."""
    world, message = landed()

    def sleep() -> None:
        world.secops.on_post = lambda: None
        world.now.advance(seconds=LEASE.total_seconds() + 1)
        world.importer(limits=TWO).handle(message)

    world.secops.on_post = sleep
    with pytest.raises(Retryable, match="another delivery has taken this page"):
        world.importer(limits=TWO).handle(message)
    # The one request that the sleeper was in the middle of.
    assert (world.secops.ids() - every_id(world)).total() == 2
    assert delivery(world, message).finished


def test_a_lost_answer_is_repeated_byte_for_byte() -> None:
    """Accepted, and nobody was told: the only case in which SecOps gets something twice."""
    world, message = landed()
    world.secops.answers = [(SecOpsTrouble("timeout"), True)]
    with pytest.raises(SecOpsTrouble):
        world.importer(limits=TWO).handle(message)
    world.now.advance(hours=1)
    world.importer(limits=TWO).handle(message)
    assert world.secops.bodies[0] == world.secops.bodies[1]
    assert (world.secops.ids() - every_id(world)).total() == 2


def test_a_refused_request_goes_to_the_dead_letters_with_the_servers_words() -> None:
    """What was accepted stays accepted; a redrive sends the rest."""
    world, message = landed()
    world.secops.answers = [(None, True), (ImportRefused("logs:import was answered 400: no such log type"), False)]
    with pytest.raises(Poison, match="no such log type; 3 of 5 items are left"):
        world.importer(limits=TWO).handle(message)
    found = delivery(world, message)
    assert (found.accepted, found.dead, found.reason) == (2, 3, "logs:import was answered 400: no such log type")
    world.importer(limits=TWO).handle(message)
    assert world.secops.ids() == every_id(world)
    assert delivery(world, message).dead == 0


def test_a_refused_token_blames_no_page() -> None:
    """It is an operator's to mend; the page is delivered again."""
    world, message = landed()
    world.secops.answers = [(Misconfigured("401"), False)]
    with pytest.raises(Misconfigured):
        world.importer().handle(message)
    assert delivery(world, message).held_until is None
    world.importer().handle(message)
    assert world.secops.ids() == every_id(world)


def test_an_oversize_item_is_set_aside_and_the_rest_goes_on() -> None:
    """It is kept as a page of one item, dead-lettered with its id and size, and counted."""
    world, message = landed(big=2)
    world.importer(limits=TIGHT).handle(message)
    big = world.source.items[2]
    assert world.secops.ids() == every_id(world) - Counter([id_of(big)])
    [dead] = world.pubsub.published[dead_letter_topic(IOC_PAGES)]
    assert f"item {id_of(big)} needs a request of 1" in dead.attributes[REASON]
    assert "above the limit of 10000" in dead.attributes[REASON]
    found = delivery(world, message)
    assert (found.done, found.accepted, found.oversize, found.dead) == (5, 4, (2,), 1)
    alone = IocPageLanded.model_validate_json(dead.body)
    stored = world.bucket.read(alone.uri.removeprefix(world.bucket.uri("")))
    assert stored
    page = read_page(stored.data, alone.uri)
    assert (len(page.items), page.item(0)) == (1, big)


def test_an_oversize_item_can_be_sent_once_the_limit_is_raised() -> None:
    """Its page is redriven like any other; while it is still too large it is dead-lettered again."""
    world, message = landed(big=2)
    world.importer(limits=TIGHT).handle(message)
    alone = IocPageLanded.model_validate_json(world.pubsub.published[dead_letter_topic(IOC_PAGES)][0].body)
    with pytest.raises(Poison, match="above the limit"):
        world.importer(limits=TIGHT).handle(alone)
    world.importer().handle(alone)
    assert world.secops.ids() == every_id(world)


def test_an_oversize_item_is_dead_lettered_once_when_its_page_is_delivered_again() -> None:
    """The record of it outlives trouble with the rest of the page."""
    world, message = landed(big=0)
    world.secops.answers = [(SecOpsTrouble("503"), False)]
    with pytest.raises(SecOpsTrouble):
        world.importer(limits=TIGHT).handle(message)
    world.importer(limits=TIGHT).handle(message)
    assert len(world.pubsub.published[dead_letter_topic(IOC_PAGES)]) == 1
    assert delivery(world, message).finished


def test_a_page_of_oversize_items_alone_ends_too() -> None:
    """Every item is set aside, and nothing is posted."""
    world, message = landed(count=2, big=0)
    world.source.items[1]["attributes"]["whois"] = "x"
    world.importer(limits=Limits(bytes=100, logs=9)).handle(message)
    assert not world.secops.bodies
    assert (delivery(world, message).finished, delivery(world, message).dead) == (True, 2)


def test_a_page_without_items_is_done_at_once() -> None:
    """It only carries the cursor of a poll whose time was up."""
    world, message = landed()
    name = message.uri.removeprefix(world.bucket.uri(""))
    stored = world.bucket.read(name)
    assert stored
    head = read_page(stored.data, name).head
    world.bucket.replace(name, head.model_dump_json().encode()[:-1] + b',"items":[]}', stored.generation)
    world.importer().handle(message.model_copy(update={"items": 0}))
    assert not world.secops.bodies


def test_an_item_that_is_no_json_ends_its_page_with_a_reason() -> None:
    """Somebody has changed the page; requests before it stay counted, and the rest is dead-lettered."""
    world, message = landed()
    name = message.uri.removeprefix(world.bucket.uri(""))
    stored = world.bucket.read(name)
    assert stored
    page = read_page(stored.data, name)
    broken = write_page(page.head, [*page.items[:4], b'{"id":"\xff"}'])
    world.bucket.replace(name, broken, stored.generation)
    with pytest.raises(Poison, match="item 4 of page 1 of 'ioc_stream' is no JSON"):
        world.importer(limits=Limits(bytes=3_900_000, logs=2)).handle(message)
    found = delivery(world, message)
    assert (found.done, found.accepted, found.dead, found.held_until) == (2, 2, 3, None)
    assert "is no JSON" in (found.reason or "")


def test_a_changed_limit_between_two_deliveries_repeats_nothing() -> None:
    """The record counts items, so what is left may be cut in another way."""
    world, message = landed()
    world.secops.answers = [(None, True), (SecOpsTrouble("503"), False)]
    with pytest.raises(SecOpsTrouble):
        world.importer(limits=TWO).handle(message)
    world.importer(limits=Limits(bytes=3_900_000, logs=1)).handle(message)
    assert world.secops.ids() == every_id(world)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"stream": "nonsense"}, "stream 'nonsense' is not switched on here; STREAMS has: ioc_stream"),
        ({"uri": "gs://elsewhere/streams/ioc_stream/pages/0000000001.json"}, "is no page of 'ioc_stream' in bucket"),
        ({"uri": "gs://landing/state/planner/domains.json"}, "is no page of"),
        ({"uri": "gs://landing/streams/ioc_stream/pages/../../../state/planner/domains.json"}, "is no page of"),
        ({"uri": "gs://landing/streams/vulnerabilities/pages/0000000001.json"}, "is no page of"),
        ({"uri": "gs://landing/streams/ioc_stream/pages/0000000001.delivery.json"}, "is no page of"),
        ({"uri": "gs://landing/streams/ioc_stream/pages/0000000009.json"}, "is not there"),
    ],
)
def test_a_message_about_no_page_is_poison(change: dict[str, str], reason: str) -> None:
    """The reason names the value."""
    world, message = landed()
    with pytest.raises(Poison, match=reason):
        world.importer().handle(message.model_copy(update=change))


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"items":[]}'])
def test_an_object_that_is_no_page_is_poison(content: bytes) -> None:
    """Reading it again would change nothing."""
    world, message = landed()
    name = page_name("ioc_stream", 1)
    stored = world.bucket.read(name)
    assert stored
    world.bucket.replace(name, content, stored.generation)
    with pytest.raises(Poison, match="is no"):
        world.importer().handle(message)
