"""Cutting a page: lossless, in order, never above a limit, no more requests than needed, always the same bytes."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.secops.chunks import Chunk, Limits, Oversize, cut
from shared.secops.request import Form

FORM = Form()
ENTRY = st.integers(1, 300).map(lambda size: b"x" * size)
LIMITS = st.builds(Limits, bytes=st.integers(60, 500), logs=st.integers(1, 6))


def pieces(entries: list[bytes], limits: Limits, first: int = 0) -> tuple[list[Chunk], list[Oversize]]:
    """Return the chunks and the oversize entries."""
    found = list(cut(entries, limits, FORM.size, first))
    chunks = [piece for piece in found if isinstance(piece, Chunk)]
    return chunks, [piece for piece in found if isinstance(piece, Oversize)]


@settings(max_examples=40, deadline=None)
@given(entries=st.lists(ENTRY, max_size=25), limits=LIMITS)
def test_nothing_is_lost_and_no_request_is_above_a_limit(entries: list[bytes], limits: Limits) -> None:
    """Chunks and oversize entries together are the page, in order; the size is that of the real body."""
    chunks, oversize = pieces(entries, limits)
    left_out = {one.position for one in oversize}
    assert [e for chunk in chunks for e in chunk.entries] == [e for n, e in enumerate(entries) if n not in left_out]
    for chunk in chunks:
        assert len(FORM.body(list(chunk.entries))) <= limits.bytes
        assert 1 <= len(chunk.entries) <= limits.logs
    for one in oversize:
        assert one.bytes == len(FORM.body([entries[one.position]])) > limits.bytes


@settings(max_examples=40, deadline=None)
@given(entries=st.lists(ENTRY, max_size=25), limits=LIMITS)
def test_no_request_more_than_needed(entries: list[bytes], limits: Limits) -> None:
    """What begins a chunk would not have fitted into the one before: so no cut in this order has fewer chunks."""
    chunks, _ = pieces(entries, limits)
    for before, after in pairwise(chunks):
        together = [*before.entries, after.entries[0]]
        assert len(together) > limits.logs or len(FORM.body(together)) > limits.bytes


@settings(max_examples=40, deadline=None)
@given(entries=st.lists(ENTRY, min_size=1, max_size=25), limits=LIMITS, data=st.data())
def test_going_on_behind_a_chunk_makes_the_same_chunks(
    entries: list[bytes], limits: Limits, data: st.DataObject
) -> None:
    """A redelivery cuts what is left exactly as the first delivery would have."""
    chunks, _ = pieces(entries, limits)
    if not chunks:
        return
    number = data.draw(st.integers(0, len(chunks) - 1))
    done = chunks[number].after
    assert pieces(entries[done:], limits, done)[0] == chunks[number + 1 :]
    assert chunks == pieces(entries, limits)[0]


def test_an_oversize_entry_does_not_end_the_chunk_around_it() -> None:
    """Its neighbours travel together; it comes first, so that it is dealt with before they are recorded."""
    found = list(cut([b"a", b"x" * 900, b"b"], Limits(bytes=200, logs=9), FORM.size))
    assert found == [Oversize(1, FORM.size(900, 1)), Chunk((b"a", b"b"), 3)]


def test_a_page_without_items_makes_no_request() -> None:
    """Nothing in, nothing out."""
    assert pieces([], Limits(bytes=200, logs=9)) == ([], [])


@pytest.mark.parametrize("forwarder", ["", "projects/p/locations/us/instances/i/forwarders/f"])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_the_size_is_known_before_the_body_is_made(forwarder: str, count: int) -> None:
    """To the byte, with and without a forwarder."""
    form, entry = Form(forwarder=forwarder), b'{"data":"eA=="}'
    body = form.body([entry] * count)
    assert len(body) == form.size(count * len(entry), count)
    assert json.loads(body)["inline_source"].get("forwarder", "") == forwarder
