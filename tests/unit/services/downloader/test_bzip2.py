"""A package is decoded completely or refused."""

import bz2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.downloader.bzip2.libbz2 import CorruptPackageError, decompress


def in_chunks(data: bytes, size: int) -> list[bytes]:
    """Split bytes into chunks."""
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5), st.integers(1, 5000))
def test_any_streams_in_any_chunks_decode_to_the_same_bytes(parts: list[bytes], size: int) -> None:
    """One or several streams, in any chunks, decode to the original bytes."""
    package = b"".join(bz2.compress(part) for part in parts)
    assert b"".join(decompress(in_chunks(package, size))) == b"".join(parts)


@given(st.binary(min_size=1, max_size=500), st.data())
def test_a_cut_package_is_refused(content: bytes, data: st.DataObject) -> None:
    """A package truncated at any byte raises, although its decompressor alone would not."""
    package = bz2.compress(content) + bz2.compress(content)
    whole_streams = {len(package), len(package) // 2}
    at = data.draw(st.integers(0, len(package)).filter(lambda at: at not in whole_streams))
    with pytest.raises(CorruptPackageError):
        list(decompress([package[:at]]))


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_a_flipped_bit_is_never_decoded_to_other_bytes(content: bytes, data: st.DataObject) -> None:
    """Either the package is refused, or the flipped bit does not change the content."""
    package = bytearray(bz2.compress(content))
    at = data.draw(st.integers(0, len(package) * 8 - 1))
    package[at // 8] ^= 1 << (at % 8)
    try:
        decoded = b"".join(decompress([bytes(package)]))
    except CorruptPackageError:
        return
    assert decoded == content


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"\x1f\x8b\x08\x00", bz2.compress(b"x") + b"garbage"])
def test_what_is_no_bzip2_is_refused(body: bytes) -> None:
    """Empty bodies, HTML, gzip and trailing garbage are not packages."""
    with pytest.raises(CorruptPackageError):
        list(decompress([body]))


def test_an_empty_package_is_whole() -> None:
    """A bzip2 stream of nothing has no lines and is not an error."""
    assert b"".join(decompress([bz2.compress(b"")])) == b""


def test_a_bomb_is_unpacked_in_bounded_steps() -> None:
    """A package that decompresses to a thousand times its size is returned in pieces of at most a mebibyte."""
    pieces = decompress([bz2.compress(bytes(5_000_000))])
    assert max(map(len, pieces)) <= 1024 * 1024
