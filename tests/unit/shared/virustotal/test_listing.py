"""A list response: fast and slow parsing have the same result."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.runtime.json_bytes import read_json, read_object
from shared.streams.definition import find_stream, look_up
from shared.virustotal.listing import read_listing

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
def test_a_listing_is_what_the_answer_says(answer: dict[str, Any], indent: int | None) -> None:
    """The same items, values and cursor, in compact form, for any white space."""
    listing = read_listing(json.dumps(answer, indent=indent).encode(), FIELDS)
    items = answer["data"]
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        assert listing is None
        return
    assert listing
    cursor = look_up(answer, "meta.cursor")
    assert listing.cursor == (str(cursor) if cursor else None)
    assert [read_json(item.text) for item in listing.items] == items
    for found, item in zip(listing.items, items, strict=True):
        assert [look_up(found.known, field) for field in FIELDS] == [look_up(item, field) for field in FIELDS]
        assert found.text == json.dumps(item, separators=(",", ":")).encode()


def test_an_item_keeps_every_character() -> None:
    """Only the requested fields become values."""
    body = rb"""{"data": [{"id": "\u00e9 \ud83d\ude00", "n": 1.50, "big": 18446744073709551615,
        "context_attributes": {"notification_id": "7", "notification_date": 3, "more": []}}],
        "meta": {"count": 1, "cursor": "next"}}"""
    listing = read_listing(body, find_stream("ioc_stream").fields)
    assert listing
    [item] = listing.items
    assert listing.cursor == "next"
    assert item.text == (
        rb'{"id":"\u00e9 \ud83d\ude00","n":1.50,"big":18446744073709551615,'
        rb'"context_attributes":{"notification_id":"7","notification_date":3,"more":[]}}'
    )
    assert item.known == {"context_attributes": {"notification_id": "7", "notification_date": 3}}


@pytest.mark.parametrize(
    "context",
    ["null", "7", "[]", '"x"', "{}", '{"notification_id": null}', '{"notification_date": {"a": [1]}}', "missing"],
)
def test_what_stands_elsewhere_is_read_all_the_same(context: str) -> None:
    """A field in another place is unknown, and everything else is kept."""
    other = "" if context == "missing" else f', "context_attributes": {context}'
    body = f'{{"data": [{{"id": "x"{other}}}]}}'.encode()
    listing = read_listing(body, find_stream("ioc_stream").fields)
    assert listing
    [item] = listing.items
    whole = json.loads(item.text)
    for path in find_stream("ioc_stream").fields:
        assert look_up(item.known, path) == look_up(whole, path)


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_nothing_is_taken_for_json_that_is_none(data: st.DataObject) -> None:
    """For any truncation, change or insertion: an accepted response contains only readable objects."""
    good = json.dumps({"data": [{"id": "é", "context_attributes": {"notification_id": "1"}, "n": [1.5e3, True]}]})
    body = bytearray(good.encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(body) - 1))
        stray = st.sampled_from([b"", b'"', b"\\", b"\xff", b"}", b"0"])
        body[at : at + data.draw(st.integers(0, 2))] = data.draw(stray)
    try:
        listing = read_listing(bytes(body), find_stream("ioc_stream").fields)
    except ValueError:
        return
    for item in listing.items if listing else ():
        read_object(item.text)


@pytest.mark.parametrize(
    ("item", "known"),
    [
        ('{"id": 123456789012345678901234567890}', 123456789012345678901234567890),
        (r'{"id": "\ud800"}', "\ud800"),
        ('{"id": "first", "id": "last"}', "last"),
        ('{"context_attributes": {"date": 1, "date": 2}}', None),
    ],
)
def test_what_needs_care_is_read_as_whoever_reads_the_page_will(item: str, known: object) -> None:
    """Integers beyond 64 bits, halves of a surrogate pair, and duplicate names are kept."""
    listing = read_listing(f'{{"data": [{item}]}}'.encode(), FIELDS)
    assert listing
    [found] = listing.items
    assert found.known == read_json(found.text)
    assert look_up(found.known, "id") == known


def test_of_a_name_twice_the_last_counts_as_for_whoever_reads_the_page() -> None:
    """The poll and the delivery read the same values."""
    listing = read_listing(b'{"data": [{}, {}], "data": [{"id": "first", "id": "last"}]}', FIELDS)
    assert listing
    [item] = listing.items
    assert item.known == read_json(item.text) == {"id": "last"}


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"{", b'{"data": [{"id": "\xff"}]}', b'{"data": [{}]} {}', b'{"data": [{"a": NaN}'),
        rb'{"data": [{}], "meta": {"cursor": "\ud800"}}',
    ],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """A truncated response, invalid UTF-8, trailing data, and a cursor that cannot be sent back are refused."""
    with pytest.raises(ValueError, match=r".+"):
        read_listing(body, FIELDS)


def test_what_is_known_of_an_item_is_what_is_kept_of_it() -> None:
    """A NaN, which Python accepts and JSON does not, becomes null; so it is not part of a key."""
    listing = read_listing(b'{"data": [{"id": NaN}]}', FIELDS)
    assert listing
    assert [(item.text, item.known) for item in listing.items] == [(b'{"id":null}', {"id": None})]


@pytest.mark.parametrize("body", [b"[]", b"1", b"{}", b'{"data": {}}', b'{"data": [1]}', b'{"data": [{}, null]}'])
def test_what_has_no_list_of_objects_is_none(body: bytes) -> None:
    """Any other `data` is not a list."""
    assert read_listing(body, FIELDS) is None
