"""Which lines are valid, and which id each has."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.downloader.json_objects import LARGE_BYTES, MAX_LEVELS, BadLineError, Checker

CHECKER = Checker()

# White space behind an object changes nothing but the way by which it is checked.
LARGE = b" " * LARGE_BYTES
ODD = (
    *(
        b"",
        b'"',
        b"\\",
        b"\\u0041",
        b"\\ud800",
        b"\\udc00",
        b"\\ud83d\\ude00",
        b"\\x",
        b"\xff",
        b"\x00",
        b"\t",
        b"\xed\xa0\x80",
    ),
    *(b"{", b"}", b"[", b"]", b"[]", b"{}", b",", b":", b',"id":1', b',"id":"y"', b"[" * 501, b'{"a":'),
    *(b"0", b"-", b".", b"e", b"e400", b"E+308", b"e-999", b"9" * 400, b"true", b"nul", b"NaN", b"\x0b"),
)

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
objects = st.fixed_dictionaries({"id": st.text(min_size=1, max_size=9), "a": values})


@given(objects, st.booleans())
def test_every_object_with_an_id_is_good(value: dict[str, object], ascii_only: bool) -> None:
    """For any valid JSON the id is the one that every other reader finds."""
    line = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert CHECKER.identity(line) == value["id"]


@given(objects, st.data())
def test_a_damaged_line_is_good_only_when_orjson_takes_it(value: dict[str, object], data: st.DataObject) -> None:
    """With any byte replaced, inserted or removed, a line is accepted only if orjson reads it."""
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
    """500 levels are accepted and 501 are not, whatever they consist of; brackets in strings do not count."""

    def levels(count: int) -> bytes:
        inner = count - 1
        return f'{{"id": "x", "s": "{"[{" * 2000}", "a": {opened * inner}1{closed * inner}}}'.encode()

    assert CHECKER.identity(levels(MAX_LEVELS)) == "x"
    with pytest.raises(BadLineError, match="nested deeper than the 500 levels"):
        CHECKER.identity(levels(MAX_LEVELS + 1))


@pytest.mark.parametrize("line", [b'{"id":"x"}],[{"id":"y"}', b'{"id":"x"},{"id":"y"}', b'{"id":"x"}]', b'{"id":"x"}}'])
def test_a_line_cannot_break_out_of_what_it_is_put_into(line: bytes) -> None:
    """A line that is valid JSON only together with its neighbours is rejected."""
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
    """BigQuery's JSON keeps the first of duplicate keys, so the id column must come from the first as well."""
    assert CHECKER.identity(line) == identity


@pytest.mark.parametrize(
    "number",
    ["18446744073709551615", "18446744073709551616", "-9223372036854775809", "1e-400", "-0", "0." + "1" * 5000],
)
def test_a_number_that_bigquery_rounds_is_no_reason_to_reject(number: str) -> None:
    """A number that BigQuery rounds to INT64 or FLOAT64 is accepted; the bucket has the source's bytes."""
    assert CHECKER.identity(b'{"id": "x", "n": %b}' % number.encode()) == "x"


@pytest.mark.parametrize("number", ["1e400", "-1e400", "01", "1.", "+1", "Infinity", "NaN", "0x1", "9" * 5000])
def test_a_number_that_nobody_can_hold_is_rejected(number: str) -> None:
    """A number beyond FLOAT64, or one that JSON does not allow, is rejected."""
    with pytest.raises(BadLineError, match="not JSON"):
        CHECKER.identity(b'{"id": "x", "n": %b}' % number.encode())


def judged(line: bytes) -> str:
    """Return a line's id, or the beginning of the reason why it is rejected."""
    try:
        return CHECKER.identity(line)
    except BadLineError as error:
        return f"bad: {error}"[:13]


@settings(max_examples=100, deadline=None)
@given(objects, st.data())
def test_a_large_line_is_checked_as_a_small_one(value: dict[str, object], data: st.DataObject) -> None:
    """A line above 1 MiB is not parsed into values, and gets the same verdict and id."""
    line = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode())
    at = data.draw(st.integers(1, len(line)))
    line[at : at + data.draw(st.integers(0, 2))] = data.draw(st.sampled_from(ODD) | st.binary(max_size=2))
    assert judged(bytes(line) + LARGE) == judged(bytes(line))


@pytest.mark.parametrize(
    "line",
    [
        *(
            b'{"id":"x","n":%b}' % number
            for number in (b"1e400", b"-1e400", b"9" * 5000, b"1e308", b"1.5E+0308", b"01")
        ),
        *(b'{"id":"x","n":[1e-400,%b,2]}' % number for number in (b"1e309", b"1e+99", b"9" * 300, b"0." + b"1" * 5000)),
        *(b'{"id":"x","a":%b1%b}' % (b"[" * levels, b"]" * levels) for levels in (498, 499, 500, 501, 2000)),
        *(b'{"id":"x","a":[[],%b{"k":1}%b,[]]}' % (b"[" * levels, b"]" * levels) for levels in (496, 497, 498, 499)),
        *(
            b'[{"id":"x"}]',
            b' {"id":"x"}',
            b"null",
            b'"id"',
            b"",
            b" \t",
            b"{}",
            b'{"id":null}',
            b'{"id":""}',
            b'{"id":5}',
        ),
        *(b'{"a":{"id":"inner"},"id":"outer"}', b'{"a":["id"],"\\u0069\\u0064" : "first","id":"second"}'),
        *(b'{"id":"%b"}' % (b"x" * size) for size in (16_384, 16_385, 400_000)),
        *(b'{"id":"%b"}' % (b"\\ud83d\\ude00" * size) for size in (16_384, 16_385)),
    ],
)
def test_a_large_line_has_the_limits_of_a_small_one(line: bytes) -> None:
    """A large line has the same limits for numbers, nesting, objects and ids as a small one."""
    assert judged(line + LARGE) == judged(line)
