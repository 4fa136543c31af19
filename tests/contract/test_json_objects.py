"""What is a good line, and which id it has."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader.json_objects import MOST_LEVELS, BadLineError, Checker

CHECKER = Checker()

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
objects = st.fixed_dictionaries({"id": st.text(min_size=1, max_size=9), "a": values})


@given(objects, st.booleans())
def test_every_object_with_an_id_is_good(value: dict[str, object], ascii_only: bool) -> None:
    """Any JSON that a writer writes has its id read as every other reader reads it."""
    line = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert CHECKER.identity(line) == value["id"]


@given(objects, st.data())
def test_a_damaged_line_is_good_only_when_orjson_takes_it(value: dict[str, object], data: st.DataObject) -> None:
    """Any byte replaced, put in or left out: nothing is let through that orjson does not read."""
    line = bytearray(json.dumps(value, ensure_ascii=False).encode())
    at = data.draw(st.integers(0, len(line) - 1))
    line[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    try:
        identity = CHECKER.identity(bytes(line))
    except BadLineError:
        return
    assert isinstance(orjson.loads(line), dict)
    assert identity


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ('{"k":', "}")])
def test_the_nesting_limit_is_that_of_bigquery(opened: str, closed: str) -> None:
    """500 levels are good and 501 are not, whatever they are made of; brackets in strings do not count."""

    def levels(count: int) -> bytes:
        inner = count - 1
        return f'{{"id": "x", "s": "{"[{" * 2000}", "a": {opened * inner}1{closed * inner}}}'.encode()

    assert CHECKER.identity(levels(MOST_LEVELS)) == "x"
    with pytest.raises(BadLineError, match="nested deeper than the 500 levels"):
        CHECKER.identity(levels(MOST_LEVELS + 1))


@pytest.mark.parametrize("line", [b'{"id":"x"}],[{"id":"y"}', b'{"id":"x"},{"id":"y"}', b'{"id":"x"}]', b'{"id":"x"}}'])
def test_a_line_cannot_break_out_of_what_it_is_put_into(line: bytes) -> None:
    """A line that is JSON only together with what surrounds it is none."""
    with pytest.raises(BadLineError, match="not JSON"):
        CHECKER.identity(line)


@pytest.mark.parametrize(
    ("line", "identity"),
    [
        (b'{"id": "first", "id": "second"}', "first"),
        (b'{"\\u0069d": "first", "id": "second"}', "first"),
        (b'{"n": 99999999999999999999, "id": "first", "id": "second"}', "first"),
        (b'{"a": {"id": "inner"}, "id": "outer"}', "outer"),
    ],
)
def test_of_several_ids_the_first_counts(line: bytes, identity: str) -> None:
    """BigQuery's JSON keeps the first of duplicate keys, and the id column must say what the object says."""
    assert CHECKER.identity(line) == identity


@pytest.mark.parametrize(
    "number",
    ["18446744073709551615", "18446744073709551616", "-9223372036854775809", "1e-400", "-0", "0." + "1" * 5000],
)
def test_a_number_that_bigquery_rounds_is_no_reason_to_reject(number: str) -> None:
    """BigQuery holds 64-bit integers and FLOAT64; the bytes in the bucket say what the source said."""
    assert CHECKER.identity(b'{"id": "x", "n": %b}' % number.encode()) == "x"


@pytest.mark.parametrize("number", ["1e400", "-1e400", "01", "1.", "+1", "Infinity", "NaN", "0x1", "9" * 5000])
def test_a_number_that_nobody_can_hold_is_rejected(number: str) -> None:
    """Beyond FLOAT64, or no JSON number at all."""
    with pytest.raises(BadLineError, match="not JSON"):
        CHECKER.identity(b'{"id": "x", "n": %b}' % number.encode())


def test_a_large_line_is_checked_as_a_small_one() -> None:
    """Ten megabytes take the other way through the same rules."""
    line = b'{"pad": "' + b"x" * 10_000_000 + b'", "id": "big"%b}'
    assert CHECKER.identity(line % b"") == "big"
    with pytest.raises(BadLineError, match="not JSON"):
        CHECKER.identity(line % b", ")
