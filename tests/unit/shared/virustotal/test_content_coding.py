"""A Content-Encoding is undone while the body arrives, in bounded steps."""

import gzip
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.outcomes import TransientError
from shared.virustotal.content_coding import undo_codings


def raw_deflate(body: bytes) -> bytes:
    """Return deflate without the zlib header, as some servers send it."""
    compressor = zlib.compressobj(wbits=-15)
    return compressor.compress(body) + compressor.flush()


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "none": ("", bytes),
    "identity": ("identity", bytes),
    "gzip": ("gzip", gzip.compress),
    "x-gzip": (" X-GZip ", gzip.compress),
    "two members": ("gzip", lambda body: gzip.compress(body[:9]) + gzip.compress(body[9:]) + bytes(7)),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "two codings": ("deflate, gzip", lambda body: gzip.compress(zlib.compress(body))),
}


def undone(header: str, body: bytes, size: int) -> list[bytes]:
    """Decode a body that arrives in chunks of a size."""
    return list(undo_codings(header, (body[at : at + size] for at in range(0, len(body), size)), "this"))


@pytest.mark.parametrize("coding", CODINGS)
@given(body=st.binary(max_size=300), size=st.integers(1, 400))
def test_what_was_encoded_comes_out(coding: str, body: bytes, size: int) -> None:
    """Any coding is undone, with chunks of any size."""
    header, encode = CODINGS[coding]
    assert b"".join(undone(header, encode(body), size)) == body


@pytest.mark.parametrize("coding", [name for name in CODINGS if name not in ("none", "identity")])
def test_a_body_that_ends_too_early_is_trouble(coding: str) -> None:
    """The body is truncated at any place of its coding."""
    header, encode = CODINGS[coding]
    whole = encode(b"some lines of text, and some more of them").rstrip(b"\0")
    for end in range(1, len(whole)):
        try:
            text = b"".join(undone(header, whole[:end], 10))
        except TransientError:
            continue
        # What was cut off was a member of its own.
        assert (coding, text) == ("two members", b"some line")


def test_no_body_is_nothing() -> None:
    """An empty body has no coding."""
    assert undone("gzip", b"", 10) == []


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_comes_in_bounded_steps(coding: str) -> None:
    """Fifty megabytes from fifty kilobytes, a quarter of a mebibyte at a time."""
    header, encode = CODINGS[coding]
    pieces = undone(header, encode(bytes(50_000_000)), 100_000)
    assert sum(map(len, pieces)) == 50_000_000
    assert max(map(len, pieces)) <= 256 * 1024
