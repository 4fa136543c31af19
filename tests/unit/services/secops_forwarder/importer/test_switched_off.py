"""Pages whose stream is not switched on in this revision."""

from datetime import timedelta

import pytest

from shared.contracts.messages import IocPageLanded
from shared.contracts.outcomes import Poison
from shared.streams.delivery_progress import Delivery, delivery_name, find_delivery
from shared.streams.page_log import page_name
from tests.support.doubles import NOON
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
