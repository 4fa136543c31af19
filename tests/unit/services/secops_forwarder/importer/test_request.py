"""The log entries sent to SecOps."""

import base64
import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.secops_forwarder.importer.cleaning import cleaned, write_cleaned
from services.secops_forwarder.importer.request import Form
from shared.runtime.json_bytes import read_json, read_object, write_json
from tests.support import optional_tools
from tests.support.doubles import NOON
from tests.support.pages import page_head
from tests.support.paths import SAMPLES
from tests.support.streams import STREAM, changed, notification

HEAD = page_head(1, NOON)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


def test_an_entry_has_what_the_method_asks_for() -> None:
    """Data in base64, both times in order, namespace and labels."""
    item = notification(1, NOON - timedelta(minutes=5))
    entry = json.loads(Form(namespace="blue", use_case="hunting").entry(item, write_json(item), STREAM, HEAD))
    assert json.loads(base64.b64decode(entry.pop("data")))["id"] == "host-1.example"
    assert entry == {
        "log_entry_time": "2026-11-21T11:55:00.000000Z",
        "collection_time": "2026-11-21T12:00:00.000000Z",
        "environment_namespace": "blue",
        "labels": {"stream": {"value": "ioc_stream"}, "use_case": {"value": "hunting"}},
    }


def test_googles_parser_gets_the_item_as_it_came() -> None:
    """Byte for byte, whatever SECOPS_CLEAN says; another log type gets it cleaned."""
    text = b'{ "id":"host-1.example", "attributes":{"tags":[], "whois":""} }'
    item = read_object(text)
    google = changed(STREAM, log_type="GCP_THREATINTEL")
    sent = [json.loads(Form(clean=True).entry(item, text, stream, HEAD))["data"] for stream in (google, STREAM)]
    assert [base64.b64decode(data) for data in sent] == [text, b'{"id":"host-1.example"}']


EMPTY: tuple[object, ...] = (None, "", [], {})


@pytest.mark.parametrize("date", [NOON, NOON + timedelta(hours=1), None, 10**20, "soon", True])
def test_collection_is_after_the_event_whatever_the_item_says(date: object) -> None:
    """A clock that is ahead, a missing date and an invalid one give times that SecOps accepts."""
    item = notification(1, NOON)
    value = int(date.timestamp()) if isinstance(date, datetime) else date
    item["context_attributes"]["notification_date"] = value
    entry = json.loads(Form().entry(item, write_json(item), STREAM, HEAD))
    happened = datetime.fromisoformat(entry["log_entry_time"])
    assert happened < datetime.fromisoformat(entry["collection_time"])
    assert happened == (date if isinstance(date, datetime) else NOON)


def test_cleaning_removes_what_is_empty_and_sorts() -> None:
    """null, empty texts, lists and objects are removed at any depth; zero and false stay; keys are sorted."""
    item = {"z": [None, "", {"a": []}, 0], "b": {"c": {"d": None}}, "a": False, "n": 0.0, "e": ""}
    assert write_cleaned(item) == b'{"a":false,"n":0.0,"z":[0]}'


def _without_empties(value: object) -> object:
    if isinstance(value, dict):
        inner = {name: _without_empties(one) for name, one in value.items()}
        return {name: one for name, one in inner.items() if one not in EMPTY or isinstance(one, int | float)}
    if isinstance(value, list):
        return [one for one in map(_without_empties, value) if one not in EMPTY or isinstance(one, int | float)]
    return value


@given(item=st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_cleaning_is_what_it_is_defined_as(item: dict[str, object]) -> None:
    """Empty values are removed from the inside out, so that containers that become empty are removed too.

    The item itself stays as it was.
    """
    before = deepcopy(item)
    assert cleaned(item) == _without_empties(item)
    assert item == before


def test_verbatim_keeps_everything() -> None:
    """With SECOPS_CLEAN off the item is sent unchanged."""
    item = notification(1, NOON)
    data = json.loads(Form(clean=False).entry(item, write_json(item), STREAM, HEAD))["data"]
    assert base64.b64decode(data) == write_json(item)
    assert list(json.loads(base64.b64decode(data))) == list(item)


def test_the_same_page_makes_the_same_bytes() -> None:
    """The order of the keys in the source does not matter."""
    item = notification(1, NOON)
    backwards = dict(reversed(item.items()))
    assert Form().entry(item, write_json(item), STREAM, HEAD) == Form().entry(
        backwards, write_json(backwards), STREAM, HEAD
    )


@settings(max_examples=40, deadline=None)
@given(item=st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_an_entry_is_never_larger_than_foreseen(item: dict[str, object]) -> None:
    """Pages are filled by the maximum size of items, so a full page fits into one request."""
    form = Form(namespace="n" * 9, use_case="ü" * 9)
    assert len(form.entry(item, write_json(item), STREAM, HEAD)) + 1 <= form.most(len(write_json(item)))


@settings(max_examples=40, deadline=None)
@given(value=JSON | st.just("\ud800") | st.just(10**40))
def test_json_comes_back_as_it_was(value: object) -> None:
    """Numbers beyond 64 bits and halves of surrogate pairs are included."""
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(write_json(value)) == value


@settings(max_examples=200, deadline=None)
@given(text=st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?", fullmatch=True))
def test_numbers_are_read_as_the_standard_library_reads_them(text: str) -> None:
    """Integers keep every digit, other numbers are the nearest float."""
    value = read_json(f"[{text}]".encode())
    assert repr(value) == repr(json.loads(f"[{text}]"))


def test_no_json_is_a_value_error() -> None:
    """The standard library raises the same."""
    with pytest.raises(ValueError, match="Expecting"):
        read_json(b"{")
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.skipif(not (SAMPLES / "ioc_stream").is_dir(), reason=optional_tools.SAMPLES.reason)
def test_real_items_lose_nothing_but_emptiness() -> None:
    """Every real notification has its date and id, and cleaning changes none of its values."""
    for file in sorted((SAMPLES / "ioc_stream").glob("*.json")):
        for item in json.loads(file.read_bytes())["data"]:
            date = STREAM.date_of(item)
            assert date
            assert date > datetime(2023, 1, 1, tzinfo=UTC)
            assert STREAM.key_of(item)
            assert _leaves(cleaned(item)) == _leaves(item)


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in _leaves(inner)]
    return [] if value in (None, "") else [value]
