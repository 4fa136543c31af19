"""Splitting a page: lossless, in order, never above a limit, with the minimum of requests, always the same bytes."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.secops_forwarder.importer.chunks import Chunk, Entry, Item, Limits, Oversize, cut
from services.secops_forwarder.importer.request import Form

FORM = Form()
ENTRY = st.integers(1, 300).map(lambda size: b"x" * size)
LIMITS = st.builds(Limits, bytes=st.integers(60, 500), logs=st.integers(1, 6))


def numbered(entries: list[bytes], first: int = 0) -> list[Entry]:
    """Return entries with the positions of their items, from the first one's on."""
    return [Entry(Item(position, data), data) for position, data in enumerate(entries, first)]


def data_of(chunk: Chunk) -> list[bytes]:
    """Return what a chunk sends."""
    return [entry.data for entry in chunk.entries]


def pieces(entries: list[bytes], limits: Limits, first: int = 0) -> tuple[list[Chunk], list[Oversize]]:
    """Return the chunks and the oversize items."""
    found = list(cut(numbered(entries, first), limits, FORM.size))
    chunks = [piece for piece in found if isinstance(piece, Chunk)]
    return chunks, [piece for piece in found if isinstance(piece, Oversize)]


@settings(max_examples=40, deadline=None)
@given(entries=st.lists(ENTRY, max_size=25), limits=LIMITS)
def test_nothing_is_lost_and_no_request_is_above_a_limit(entries: list[bytes], limits: Limits) -> None:
    """Chunks and oversize entries together are the page, in order; the size is that of the real body."""
    chunks, oversize = pieces(entries, limits)
    left_out = {one.item.position for one in oversize}
    assert [e for chunk in chunks for e in data_of(chunk)] == [e for n, e in enumerate(entries) if n not in left_out]
    for chunk in chunks:
        assert len(FORM.body(data_of(chunk))) <= limits.bytes
        assert 1 <= len(chunk.entries) <= limits.logs
    for one in oversize:
        assert one.bytes == len(FORM.body([entries[one.item.position]])) > limits.bytes


@settings(max_examples=40, deadline=None)
@given(entries=st.lists(ENTRY, max_size=25), limits=LIMITS)
def test_no_request_more_than_needed(entries: list[bytes], limits: Limits) -> None:
    """The first entry of a chunk would not have fitted into the one before, so the number of chunks is minimal."""
    chunks, _ = pieces(entries, limits)
    for before, after in pairwise(chunks):
        together = [*data_of(before), data_of(after)[0]]
        assert len(together) > limits.logs or len(FORM.body(together)) > limits.bytes


@settings(max_examples=40, deadline=None)
@given(entries=st.lists(ENTRY, min_size=1, max_size=25), limits=LIMITS, data=st.data())
def test_going_on_behind_a_chunk_makes_the_same_chunks(
    entries: list[bytes], limits: Limits, data: st.DataObject
) -> None:
    """A redelivery splits the rest exactly like the first delivery."""
    chunks, _ = pieces(entries, limits)
    if not chunks:
        return
    number = data.draw(st.integers(0, len(chunks) - 1))
    done = chunks[number].after
    assert pieces(entries[done:], limits, done)[0] == chunks[number + 1 :]
    assert chunks == pieces(entries, limits)[0]


def test_an_oversize_entry_does_not_end_the_chunk_around_it() -> None:
    """Its neighbours are in one chunk; it is yielded first, so that it is handled before they are recorded."""
    small, large, last = numbered([b"a", b"x" * 900, b"b"])
    found = list(cut([small, large, last], Limits(bytes=200, logs=9), FORM.size))
    assert found == [Oversize(large.item, FORM.size(900, 1)), Chunk((small, last), 3)]


def test_a_page_without_items_makes_no_request() -> None:
    """A page without items makes no chunks."""
    assert pieces([], Limits(bytes=200, logs=9)) == ([], [])


@pytest.mark.parametrize("forwarder", ["", "projects/p/locations/us/instances/i/forwarders/f"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_size_is_known_before_the_body_is_made(forwarder: str, count: int) -> None:
    """The size is exact, with and without a forwarder."""
    form, entry = Form(forwarder=forwarder), b'{"data":"eA=="}'
    body = form.body([entry] * count)
    assert len(body) == form.size(count * len(entry), count)
    assert json.loads(body)["inline_source"].get("forwarder", "") == forwarder
