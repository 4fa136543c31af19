"""Lines are numbered, checked and framed without changing a byte."""

import json
from base64 import b64decode
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.downloader.json_objects import BadLineError
from services.downloader.lines import KEPT_BYTES, Framer, Line, split_lines

FRAMER = Framer(datetime(2026, 11, 21, 14, 10, tzinfo=UTC))


def whole_line(data: bytes, number: int = 1) -> Line:
    """Return a line of normal length."""
    return Line(number, data, len(data))


def deep(levels: int) -> bytes:
    """Return an object with this many levels."""
    inner = levels - 1
    return b'{"id": "x", "a": ' + b"[" * inner + b"]" * inner + b"}"


line_bytes = st.binary(max_size=50).map(lambda data: data.replace(b"\n", b"").rstrip(b"\r"))


@given(st.lists(line_bytes, max_size=20), st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.integers(1, 60))
def test_lines_come_out_as_they_went_in(lines: list[bytes], end: bytes, ended: bool, size: int) -> None:
    """Any line ends, any chunks, and a last line with or without its end give the same numbered lines."""
    text = end.join(lines) + (end if ended and lines else b"")
    assume(not text.startswith(b"\xef\xbb\xbf"))
    if not ended and lines and not lines[-1]:
        lines = lines[:-1]
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    assert [line.data for line in split_lines(pieces)] == lines
    assert [line.number for line in split_lines(pieces)] == list(range(1, len(lines) + 1))


@given(st.lists(line_bytes, max_size=3), st.integers(1, 9))
def test_a_byte_order_mark_before_the_first_line_is_left_out(lines: list[bytes], size: int) -> None:
    """The mark may be split between chunks; a second one is part of the line."""
    text = b"".join(line + b"\n" for line in lines)

    def split(data: bytes) -> list[bytes]:
        return [bytes(line.data) for line in split_lines(data[at : at + size] for at in range(0, len(data), size))]

    mark = b"\xef\xbb\xbf"
    assert split(mark + text) == lines
    assert split(mark + mark + text)[:1] == ([mark + lines[0]] if lines else [mark])


def test_a_large_line_is_framed_and_kept_in_parts() -> None:
    """A line over a mebibyte is framed in pieces, which equal the whole."""
    good = b'{"id": "x", "a": "%b"}' % ("\u00e9\u4e2d\U0001f600" * 200_000).encode()
    parts = list(FRAMER.frame(whole_line(good)))
    assert b"".join(parts).endswith(b',"object":' + good + b"}\n")
    assert max(map(len, parts)) <= 1024 * 1024
    for bad in (good + b"x", good + b"\xff"):
        parts = list(Framer.reject(whole_line(bad), "why"))
        kept = orjson.loads(b"".join(parts))
        assert (kept["line"].encode() if "line" in kept else b64decode(kept["line_base64"])) == bad
        assert max(map(len, parts)) < 2 * 1024 * 1024


def test_a_good_line_is_framed_byte_for_byte() -> None:
    """The object keeps its spaces, escapes and number formats; id is an additional copy."""
    data = b'{"id": "caf\\u00e9 \\"x\\"", "n": 1.50e2, "big": 123456789012345678901234567890, "a": {"b": [ ]}}'
    framed = b"".join(FRAMER.frame(whole_line(data, 7)))
    assert framed == (
        b'{"feed_minute":"2026-11-21T14:10:00Z","feed_line":7,"id":"caf\xc3\xa9 \\"x\\"","object":' + data + b"}\n"
    )
    assert json.loads(framed)["id"] == json.loads(data)["id"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty line"),
        (b"   ", "empty line"),
        (b'{"id": "x"', "not JSON"),
        (b'{"id": "x"} {"id": "y"}', "not JSON"),
        (b'{"id": "x", "n": NaN}', "not JSON"),
        (b'{"id": "\xff"}', "not JSON"),
        (b'\xef\xbb\xbf{"id": "x"}', "not JSON"),
        (b"[1, 2]", "not a JSON object"),
        (b'"id"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b"{}", "no id"),
        (b'{"id": null}', "no id"),
        (b'{"id": ""}', "no id"),
        (b'{"id": 5}', "id is not a string"),
        (b'{"id": ["x"]}', "id is not a string"),
        (b'{"id": "' + b"x" * 20_000 + b'"}', "id is longer"),
        (deep(501), "nested deeper than the 500 levels"),
        (deep(1200), "nested deeper than the 500 levels"),
    ],
)
def test_a_bad_line_is_named(data: bytes, reason: str) -> None:
    """Every kind of invalid line has its reason."""
    with pytest.raises(BadLineError, match=reason):
        FRAMER.frame(whole_line(data))


@pytest.mark.parametrize("data", [b'{"id": 5}', b"\xff\x00", b'{"id": "\xf0"}', b""])
def test_a_bad_line_is_kept_whole(data: bytes) -> None:
    """The reject has number, reason and every byte: as text, or in base64 if it is not UTF-8."""
    kept = orjson.loads(b"".join(Framer.reject(whole_line(data, 3), "why")))
    assert (kept["feed_line"], kept["reason"]) == (3, "why")
    assert (kept["line"].encode() if "line" in kept else b64decode(kept["line_base64"])) == data


def test_a_line_that_is_too_long_is_rejected_in_bounded_memory() -> None:
    """Its beginning is kept with its size, and the adjacent lines are not affected."""
    pieces = [b"one\n", *(b"x" * 1000 for _ in range(200)), b"\ntwo\r\n"]
    first, long, last = split_lines(pieces, max_bytes=100_000)
    assert (bytes(first.data), bytes(last.data), last.number) == (b"one", b"two", 3)
    assert (long.number, long.size, long.data) == (2, 200_000, b"x" * KEPT_BYTES)
    with pytest.raises(BadLineError, match="200000 bytes are too many for a line; the first 65536 are kept"):
        FRAMER.frame(long)
