"""Relations of a collection come with its item where they are asked for, and cost what the settings say."""

import json
from collections.abc import Callable

import pytest

from services.secops_forwarder.poll.page_buffer import NewItem
from services.secops_forwarder.poll.relations import Relations
from shared.contracts.outcomes import TransientError
from shared.streams.definition import Stream, find_stream
from shared.virustotal.errors import NotLicensed, PackageMissing, RequestRefused
from shared.virustotal.list_reader import ListQuery
from shared.virustotal.listing import Listing
from tests.support.doubles import NOON
from tests.support.streams import STREAM, ForwarderHarness, as_given

CAMPAIGNS = find_stream("campaigns")
ITEM = NewItem("key", NOON, b'{"id":"campaign--1/2","attributes":{}}', None)


class RelationSource:
    """Gives one object for every relation; `on_ask` may raise."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.on_ask: Callable[[str], None] = lambda _: None

    def page(self, question: ListQuery) -> Listing:
        """Answer one page."""
        self.asked.append(question.target())
        self.on_ask(question.path)
        return Listing((as_given({"type": "file", "id": "abc"}),), "more")


@pytest.fixture
def source() -> RelationSource:
    """Return a source of relations."""
    return RelationSource()


def test_an_item_has_the_relations_that_are_asked_for(source: RelationSource) -> None:
    """The first page of each, one request each, with the id encoded."""
    found = Relations(source, ("files", "domains"), limit=5).add_to(CAMPAIGNS, ITEM)
    assert json.loads(found.text) == {
        "id": "campaign--1/2",
        "attributes": {},
        "relationships": {name: {"data": [{"type": "file", "id": "abc"}]} for name in ("files", "domains")},
    }
    assert source.asked == [
        f"/collections/campaign--1%2F2/relationships/{name}?limit=5" for name in ("files", "domains")
    ]


@pytest.mark.parametrize(("names", "stream"), [((), CAMPAIGNS), (("files",), STREAM)])
def test_nothing_else_is_asked_for(source: RelationSource, names: tuple[str, ...], stream: Stream) -> None:
    """By default no relation, and never for another list."""
    assert Relations(source, names, limit=5).add_to(stream, ITEM) is ITEM
    assert source.asked == []


@pytest.mark.parametrize("error", [NotLicensed("403"), PackageMissing("404"), RequestRefused("400")])
def test_a_refused_relation_is_left_out(source: RelationSource, error: Exception) -> None:
    """The collection and its other relations are there."""

    def refuse(path: str) -> None:
        if path.endswith("files"):
            raise error

    source.on_ask = refuse
    found = json.loads(Relations(source, ("files", "urls"), limit=1).add_to(CAMPAIGNS, ITEM).text)
    assert list(found["relationships"]) == ["urls"]


def test_trouble_with_a_relation_keeps_the_items_before_it() -> None:
    """The next poll goes on behind them, and asks for no relation twice."""
    harness = ForwarderHarness()
    harness.poll()
    harness.source.add(*(NOON for _ in range(5)))
    poller, asked = harness.poller(), []

    class Failing(Relations):
        def add_to(self, stream: Stream, item: NewItem) -> NewItem:
            """Fail at the fourth item, once."""
            asked.append(item.key)
            if len(asked) == 4:
                raise TransientError("429")
            return item

    poller._relations = Failing(RelationSource(), ("files",), limit=1)
    with pytest.raises(TransientError):
        poller.poll(harness.stream)
    assert sum(harness.logged().values()) == 3
    poller.poll(harness.stream)
    harness.assert_all_logged_once()
    assert len(asked) == 6


def test_an_item_that_cannot_be_read_is_left_as_it_is(source: RelationSource) -> None:
    """Its delivery reports it."""
    deep = NewItem("key", NOON, b'{"id":"x","a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", None)
    assert Relations(source, ("files",), limit=1).add_to(CAMPAIGNS, deep) is deep
