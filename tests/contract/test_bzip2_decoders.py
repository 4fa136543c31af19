"""lbzip2 decodes as libbz2 does, and refuses what libbz2 refuses."""

import bz2
import random
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.downloader.bzip2.lbzip2 import decompress_by
from services.downloader.bzip2.libbz2 import CorruptPackageError, decompress
from tests.support import optional_tools

LBZIP2 = shutil.which("lbzip2")
Decode = Callable[[Iterable[bytes]], Iterator[bytes]]
MARK, END_MARK = "314159265359", "177245385090"
# Three blocks at level 1, and more than one at any level when a part is repeated.
LONG = random.Random(1).randbytes(220_000)  # noqa: S311 - the same noise in every run


def in_chunks(data: bytes, size: int) -> list[bytes]:
    """Cut bytes into chunks."""
    return [data[at : at + size] for at in range(0, len(data), size)]


def with_lbzip2(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decode with lbzip2."""
    return decompress_by(str(LBZIP2), 2, chunks)


@pytest.fixture(params=[decompress, with_lbzip2], scope="module")
def decode(request: pytest.FixtureRequest) -> Decode:
    """Return each decoder in turn."""
    if request.param is with_lbzip2 and not LBZIP2:
        pytest.skip(optional_tools.LBZIP2.reason)
    chosen: Decode = request.param
    return chosen


def decoded(decode: Decode, package: bytes, size: int = 10_000) -> bytes:
    """Decode a package that arrives in chunks of a size."""
    return b"".join(decode(in_chunks(package, size)))


def with_mark(mark: str, skip: int = 0) -> bytes:
    """Return content whose compressed form contains a block marker by chance.

    Each block begins with a map of the byte values that occur in it, one bit per value. The values are chosen so that
    the map spells the marker. Each group of sixteen values needs at least one that occurs, or the map leaves the group
    out.
    """
    spelt = "0" * skip + f"{int(mark, 16):048b}"
    occurring = [value for value, bit in enumerate(spelt) if bit == "1"]
    groups = {value // 16 for value in occurring}
    return bytes(occurring + [group * 16 + 15 for group in range(len(spelt) // 16 + 1, 16) if group not in groups])


PARTS = {"empty": b"", "short": b"x", "long": LONG, "mark": with_mark(MARK), "end mark": with_mark(END_MARK, 3)}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(sorted(PARTS)), min_size=1, max_size=4), st.integers(1, 9), st.integers(100, 50_000))
def test_any_streams_at_any_level_in_any_chunks_decode_to_the_same_bytes(
    decode: Decode, names: list[str], level: int, size: int
) -> None:
    """Empty streams, streams of several blocks and streams with blocks at any bit position decode alike."""
    parts = [PARTS[name] for name in names]
    package = b"".join(bz2.compress(part, level) for part in parts)
    assert decoded(decode, package, size) == b"".join(parts)


def test_single_bytes_are_chunks_too(decode: Decode) -> None:
    """A package that arrives byte by byte decodes completely."""
    package = bz2.compress(b"one") + bz2.compress(b"") + bz2.compress(b"two")
    assert decoded(decode, package, 1) == b"onetwo"


@pytest.mark.parametrize("mark", [MARK, END_MARK])
@pytest.mark.parametrize("skip", [0, 1, 7, 8, 100])
def test_a_mark_that_occurs_by_chance_ends_no_block(decode: Decode, mark: str, skip: int) -> None:
    """A block that contains a marker is retried up to the next marker; its neighbours are unaffected."""
    content = with_mark(mark, skip)
    package = b"".join(bz2.compress(part, 1) for part in (LONG, content, LONG))
    assert decoded(decode, package) == LONG + content + LONG


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=2), st.data())
def test_a_cut_package_is_refused(decode: Decode, parts: list[bytes], data: st.DataObject) -> None:
    """A package that is cut anywhere except between its streams raises."""
    streams = [bz2.compress(part) for part in parts]
    package = b"".join(streams)
    whole = {len(package), len(streams[0])}
    at = data.draw(st.integers(0, len(package)).filter(lambda at: at not in whole))
    with pytest.raises(CorruptPackageError):
        decoded(decode, package[:at])


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=2000), st.data())
def test_a_flipped_bit_is_never_decoded_to_other_bytes(decode: Decode, content: bytes, data: st.DataObject) -> None:
    """A flipped bit makes the package fail, or carried no content."""
    package = bytearray(bz2.compress(content) * 2)
    at = data.draw(st.integers(0, len(package) * 8 - 1))
    package[at // 8] ^= 1 << (at % 8)
    try:
        assert decoded(decode, bytes(package)) == content * 2
    except CorruptPackageError:
        return


@pytest.mark.parametrize("bit", range(32))
def test_a_damaged_header_between_streams_hides_nothing(decode: Decode, bit: int) -> None:
    """A fault in any bit of the second stream's header is detected."""
    first = bz2.compress(b"first")
    package = bytearray(first + bz2.compress(b"second") + bz2.compress(b"third"))
    package[len(first) + bit // 8] ^= 1 << (bit % 8)
    try:
        assert decoded(decode, bytes(package)) == b"firstsecondthird"
    except CorruptPackageError:
        return


@settings(max_examples=10, deadline=None)
@given(st.integers(0, len(bz2.compress(LONG, 1)) * 8 - 1))
def test_a_flipped_bit_in_any_of_several_blocks_is_refused(decode: Decode, at: int) -> None:
    """Whole blocks before a fault are returned, then the package raises."""
    package = bytearray(bz2.compress(LONG, 1))
    package[at // 8] ^= 1 << (at % 8)
    try:
        assert decoded(decode, bytes(package)) == LONG
    except CorruptPackageError:
        return


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"B", b"BZh", b"BZh0", b"BZh9", b"<html></html>", b"\x1f\x8b\x08\x00"),
        *(bz2.compress(b"x") + garbage for garbage in (b"garbage", b"B", b"\0x", bytes(100_000) + b"x")),
        bz2.compress(b"x") + b"\0" + bz2.compress(b"y"),
        b"\0" + bz2.compress(b"x"),
        b"BZh9" + bz2.compress(b"x"),
        bz2.compress(b"x") + b"hidden" + bz2.compress(b"y"),
    ],
)
def test_what_is_not_bzip2_is_refused(decode: Decode, body: bytes) -> None:
    """Nothing, HTML, gzip, two headers, trailing data and padding between streams are refused."""
    for size in (1, 10_000):
        with pytest.raises(CorruptPackageError):
            decoded(decode, body, size)


@pytest.mark.parametrize(
    ("padding", "size"),
    [(b"\0", 1), (b"\n", 1), (b"\r\n", 7), (b" \t\v\f", 7), (bytes(512), 1), (bytes(5_000_000) + b"\n", 100_000)],
)
@pytest.mark.parametrize("streams", [[b"x"], [b""], [b"one", b"", b"two"], [LONG]])
def test_padding_behind_the_last_stream_is_passed_over(
    decode: Decode, streams: list[bytes], padding: bytes, size: int
) -> None:
    """Trailing NUL bytes and white space are ignored, as by `bzip2 -dc`."""
    package = b"".join(map(bz2.compress, streams)) + padding
    assert decoded(decode, package, size) == b"".join(streams)


def test_a_wrong_checksum_of_the_stream_is_refused(decode: Decode) -> None:
    """A wrong stream checksum is refused even when every block is whole, since a block may be missing."""
    package = bytearray(bz2.compress(b""))
    package[-1] ^= 1
    with pytest.raises(CorruptPackageError, match=r"checksum|CRC|Invalid data"):
        decoded(decode, bytes(package))


def test_a_bomb_is_unpacked_in_bounded_steps(decode: Decode) -> None:
    """A block of 46 MB is returned in pieces of 1 MiB."""
    pieces = decode([bz2.compress(bytes(40_000_000))])
    assert max(map(len, pieces)) <= 1024 * 1024


def test_a_source_that_breaks_ends_the_decoding(decode: Decode) -> None:
    """An exception of the chunk reader is raised after the content that came before it."""

    def breaking() -> Iterator[bytes]:
        yield bz2.compress(LONG)[:100_000]
        raise ConnectionError

    with pytest.raises(ConnectionError):
        list(decode(breaking()))


@pytest.mark.skipif(not LBZIP2, reason=optional_tools.LBZIP2.reason)
def test_a_decoding_that_is_given_up_leaves_no_process() -> None:
    """The program is stopped when its output is no longer read, even while the package still arrives."""
    pieces = with_lbzip2(in_chunks(bz2.compress(LONG * 20, 1), 10_000))
    next(pieces)
    assert "lbzip2" in [child.name() for child in psutil.Process().children()]
    pieces.close()  # type: ignore[attr-defined]
    assert "lbzip2" not in [child.name() for child in psutil.Process().children()]


def test_the_program_sees_nothing_of_our_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decoder of untrusted bytes runs without the API key in its environment."""
    program = tmp_path / "decoder"
    program.write_text(f"#!{sys.executable}\nimport os\nprint(dict(os.environ))\n")
    program.chmod(0o700)
    monkeypatch.setenv("VT_API_KEY", "the-key")
    environment = next(decompress_by(str(program), 1, [bz2.compress(b"x")]))
    assert b"the-key" not in environment
    assert b"VT_API_KEY" not in environment
