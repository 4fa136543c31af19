"""An answer with a list: read quickly or slowly, it means the same."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.json_bytes import read_json
from shared.streams import find_stream, look_up
from shared.virustotal.listing import _carefully, _quickly, read_listing

FIELDS = ("id", "context_attributes.date", "context_attributes.deep.down", "attributes")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
CONTEXTS = VALUES | st.fixed_dictionaries({}, optional={"date": VALUES, "deep": VALUES | st.just({"down": 1})})
ITEMS = st.fixed_dictionaries({}, optional={"id": VALUES, "context_attributes": CONTEXTS, "attributes": VALUES})
ANSWERS = st.fixed_dictionaries(
    {"data": st.lists(ITEMS | VALUES, max_size=4) | VALUES},
    optional={"meta": VALUES | st.fixed_dictionaries({"cursor": VALUES})},
)


@given(ANSWERS, st.sampled_from((None, 1, 4)))
def test_what_is_read_quickly_is_what_is_read_slowly(answer: dict[str, Any], indent: int | None) -> None:
    """The same items, the same values at the fields, the same cursor; written closely, however widely it came."""
    body = json.dumps(answer, indent=indent).encode()
    quickly, carefully = _quickly(body, FIELDS), _carefully(body)
    if quickly is None:
        return
    assert carefully
    assert quickly.cursor == carefully.cursor
    assert [read_json(item.text) for item in quickly.items] == [item.known for item in carefully.items]
    for quick, slow in zip(quickly.items, carefully.items, strict=True):
        assert [look_up(quick.known, field) for field in FIELDS] == [look_up(slow.known, field) for field in FIELDS]
        assert quick.text == json.dumps(slow.known, separators=(",", ":")).encode()


def test_ordinary_answers_are_read_quickly() -> None:
    """An item keeps every character, and only the fields' values are made."""
    body = rb"""{"data": [{"id": "\u00e9 \ud83d\ude00", "n": 1.50, "big": 18446744073709551615,
        "context_attributes": {"notification_id": "7", "notification_date": 3, "more": []}}],
        "meta": {"count": 1, "cursor": "next"}}"""
    listing = _quickly(body, find_stream("ioc_stream").fields)
    assert listing
    [item] = listing.items
    assert listing.cursor == "next"
    assert item.text == (
        rb'{"id":"\u00e9 \ud83d\ude00","n":1.50,"big":18446744073709551615,'
        rb'"context_attributes":{"notification_id":"7","notification_date":3,"more":[]}}'
    )
    assert item.known == {"context_attributes": {"notification_id": "7", "notification_date": 3}}


@pytest.mark.parametrize(
    "item",
    [
        '{"id": 123456789012345678901234567890}',
        r'{"id": "\ud800"}',
        f'{{"id": {"[" * 1100}{"]" * 1100}}}',
        '{"id": "first", "id": "last"}',
        '{"context_attributes": {"date": 1, "date": 2}}',
    ],
)
def test_what_needs_care_is_left_to_it(item: str) -> None:
    """Integers beyond 64 bits, halves of a surrogate pair, nesting beyond what pages are read with, a name twice."""
    assert _quickly(f'{{"data": [{item}]}}'.encode(), FIELDS) is None


def test_of_a_name_twice_the_last_counts_as_for_whoever_reads_the_page() -> None:
    """What a poll knows of an item is what its delivery will find."""
    listing = read_listing(b'{"data": [{}, {}], "data": [{"id": "first", "id": "last"}]}', FIELDS)
    assert listing
    [item] = listing.items
    assert item.known == read_json(item.text) == {"id": "last"}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"data": [{"id": "\xff"}]}', b'{"data": [{}]} {}', b'{"data": [{"a": NaN}'],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """A cut answer, bytes that are no UTF-8, and something behind the end."""
    with pytest.raises(ValueError, match=r".+"):
        read_listing(body, FIELDS)


def test_what_is_known_of_an_item_is_what_is_kept_of_it() -> None:
    """A NaN, which Python reads and JSON has not, is kept as null; so it is no part of a key either."""
    listing = read_listing(b'{"data": [{"id": NaN}]}', FIELDS)
    assert listing
    assert [(item.text, item.known) for item in listing.items] == [(b'{"id":null}', {"id": None})]


@pytest.mark.parametrize("body", [b"[]", b"1", b"{}", b'{"data": {}}', b'{"data": [1]}', b'{"data": [{}, null]}'])
def test_what_has_no_list_of_objects_is_none(body: bytes) -> None:
    """Nothing else under `data` is a list's answer."""
    assert read_listing(body, FIELDS) is None
