"""Pages and landings whose stream or feed is not switched on in this revision."""

from datetime import timedelta

import pytest

from services.secops_forwarder.importer.errors import ImportRefused
from shared.contracts.messages import IocPageLanded
from shared.contracts.outcomes import Poison
from shared.streams.delivery_progress import Delivery, delivery_name, find_delivery
from shared.streams.landing_log import landing_message, read_landing
from shared.streams.page_log import page_name
from tests.support.doubles import NOON
from tests.support.landings import HOUR, LandingHarness, ids
from tests.support.streams import ForwarderHarness


def landed() -> tuple[ForwarderHarness, IocPageLanded]:
    """Return a world with one page, whose stream is off, and the page's message."""
    harness = ForwarderHarness()
    harness.switched_on = False
    harness.source.add(NOON - timedelta(minutes=3))
    harness.poll()
    [message] = harness.messages()
    return harness, message


def test_a_page_is_acked_and_published_again_once_its_stream_is_on() -> None:
    """The page is acked without a record; once its stream is on, the poll publishes it and it is delivered once."""
    harness, message = landed()
    harness.importer().handle(message)
    assert find_delivery(harness.bucket, page_name("ioc_stream", 1)) is None
    harness.now.advance(hours=1)
    harness.poll()
    harness.switched_on = True
    [_, again] = harness.messages()
    harness.importer().handle(again)
    assert (again.uri, sum(harness.secops.ids().values())) == (message.uri, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"stream": "nonsense"},
        {"uri": "gs://landing/streams/ioc_stream/oversize/0000000001-0003.json"},
        {"uri": "gs://elsewhere/streams/ioc_stream/pages/0000000001.json"},
        {"sequence": 2, "uri": "gs://landing/streams/ioc_stream/pages/0000000002.json"},
    ],
)
def test_what_nobody_publishes_again_is_a_dead_letter(change: dict[str, object]) -> None:
    """A message that is not published again becomes a dead letter.

    A set-aside item, a missing page, an unknown stream.
    """
    harness, message = landed()
    with pytest.raises(Poison, match="is not switched on here") as refused:
        harness.importer().handle(message.model_copy(update=change))
    assert refused.value.error_type == "stream_off"


def test_a_letter_redriven_while_the_stream_is_off_comes_back() -> None:
    """A redriven letter returns while the stream is off, since the poll does not publish a page that was given up."""
    harness, message = landed()
    name = delivery_name(page_name("ioc_stream", 1))
    harness.bucket.create(name, Delivery(items=1, reason="refused").model_dump_json().encode())
    with pytest.raises(Poison, match="is not switched on here"):
        harness.importer().handle(message)


def test_a_page_that_the_poll_has_settled_is_a_dead_letter() -> None:
    """Its delivery was deleted to send it again, and no poll looks at it any more; a delivered page is acked."""
    harness, message = landed()
    harness.switched_on = True
    harness.importer().handle(message)
    harness.now.advance(hours=1)
    harness.poll()
    harness.switched_on = False
    harness.importer().handle(message)
    harness.bucket.delete(delivery_name(message.uri.removeprefix("gs://landing/")))
    with pytest.raises(Poison, match="is not switched on here"):
        harness.importer().handle(message)


@pytest.fixture
def harness() -> LandingHarness:
    """Return landed hours whose feed has just been switched on, by the poll alone."""
    harness = LandingHarness()
    harness.land(1, HOUR - timedelta(hours=1))
    harness.now.advance(minutes=1)
    harness.poll()
    harness.feeds, harness.now.time = [], harness.now() + timedelta(minutes=1)
    return harness


def come_back(harness: LandingHarness, message: IocPageLanded) -> bool:
    """Return whether a message becomes a dead letter, and not an ack."""
    try:
        harness.importer().handle(message)
    except Poison as poison:
        reason = "feed 'threat_lists' is not switched on here; SECOPS_FEEDS has: none"
        return (poison.error_type, poison.reason) == ("stream_off", reason)
    return False


def test_a_landing_that_the_poll_announces_is_acked_and_delivered_once_the_feed_is_on(harness: LandingHarness) -> None:
    """No record is made, and no line is lost."""
    message = landing_message(harness.land(2))
    assert not come_back(harness, message)
    harness.now.advance(hours=1)
    harness.poll()
    harness.feeds = LandingHarness().feeds
    [again] = harness.announced()
    harness.importer().handle(again)
    assert harness.secops.ids() == ids(2)


def test_a_replay_of_an_hour_that_no_poll_announces_is_a_dead_letter(harness: LandingHarness) -> None:
    """It landed before the feed was on; redriven once the feed is on, it is delivered."""
    landed_before = read_landing(harness.bucket, "threat_lists", HOUR - timedelta(hours=1))
    assert landed_before
    assert come_back(harness, landing_message(landed_before))
    harness.feeds = LandingHarness().feeds
    harness.importer().handle(landing_message(landed_before))
    assert harness.secops.ids() == ids(1)


def test_a_feed_that_was_never_on_leaves_no_landing_to_the_poll() -> None:
    """The first poll would not announce it."""
    harness = LandingHarness()
    harness.feeds = []
    assert come_back(harness, landing_message(harness.land(1)))


def test_after_a_week_without_a_poll_no_landing_is_left_to_it(harness: LandingHarness) -> None:
    """The next poll begins with what lands from then on."""
    message = landing_message(harness.land(1))
    harness.now.advance(days=7, minutes=-1)
    assert not come_back(harness, message)
    harness.now.advance(minutes=1)
    assert come_back(harness, message)


def test_a_landing_that_was_given_up_comes_back_while_the_feed_is_off(harness: LandingHarness) -> None:
    """Redriven as a landing or replayed as a page: no poll announces it again."""
    event = harness.land(1)
    harness.feeds = LandingHarness().feeds
    harness.give_up(event)
    harness.feeds = []
    assert come_back(harness, landing_message(event))
    with pytest.raises(Poison, match="is not switched on here") as off:
        harness.importer().landings.handle(event)
    assert off.value.error_type == "stream_off"


def test_of_a_delivered_landing_only_what_was_set_aside_comes_back(harness: LandingHarness) -> None:
    """Nothing else is left to deliver; an address that no manifest has comes back too."""
    event = harness.land(3)
    harness.feeds = LandingHarness().feeds
    harness.secops.refuses = lambda found: ImportRefused("400") if "host-1.example" in found else None
    harness.importer().landings.handle(event)
    harness.feeds = []
    assert not come_back(harness, landing_message(event))
    assert come_back(harness, harness.dead()[0])
    assert come_back(harness, landing_message(event).model_copy(update={"uri": f"{event.uri}x.ndjson.gz"}))
