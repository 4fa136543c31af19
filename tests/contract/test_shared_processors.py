"""Packages that are decoded by lbzip2 share the processors."""

import bz2
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from services.downloader.unpack import Unpacker

LBZIP2 = shutil.which("lbzip2")
PACKAGE = bz2.compress(b"a line\n" * 1000)
DEADLINE = 20.0

pytestmark = pytest.mark.skipif(not LBZIP2, reason="lbzip2 is not installed")


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Return the file in which a stand-in for lbzip2 writes how many threads it was to use, and when it has ended."""
    program = tmp_path / "lbzip2"
    program.write_text(f'#!/bin/sh\necho "$4" >> {tmp_path}/told\n{LBZIP2} "$@"\necho end >> {tmp_path}/told\n')
    program.chmod(0o755)
    return tmp_path / "told"


def unpacker(told: Path, processors: int, most_wait: float = DEADLINE) -> Unpacker:
    """Return an unpacker that uses the stand-in."""
    return Unpacker(processors, str(told.with_name("lbzip2")), most_wait)


def decode_at_once(unpack: Unpacker, packages: int) -> None:
    """Decode packages whose requests come at the same moment."""
    together = Barrier(packages)

    def decode(_: int) -> bytes:
        together.wait(DEADLINE)
        return b"".join(unpack([PACKAGE]))

    with ThreadPoolExecutor(packages) as workers:
        whole = list(workers.map(decode, range(packages)))
    assert whole == [bz2.decompress(PACKAGE)] * packages


def test_a_package_alone_has_every_processor(told: Path) -> None:
    """Six threads for six processors."""
    decode_at_once(unpacker(told, 6), 1)
    assert told.read_text().split() == ["6", "end"]


def test_two_processors_take_one_package_after_the_other(told: Path) -> None:
    """Three that come at once do not run at once, and each has both processors."""
    decode_at_once(unpacker(told, 2), 3)
    assert told.read_text().split() == ["2", "end"] * 3


def test_one_processor_gives_one_thread(told: Path) -> None:
    """Two at once are decoded one after the other."""
    decode_at_once(unpacker(told, 1), 2)
    assert told.read_text().split() == ["1", "end"] * 2


def test_a_package_whose_source_is_slow_holds_up_no_other_for_long(told: Path) -> None:
    """Another one is decoded beside it, with one thread."""
    unpack, begun, go_on = unpacker(told, 2, 0.1), Event(), Event()

    def slow() -> Iterator[bytes]:
        begun.set()
        assert go_on.wait(DEADLINE)
        yield PACKAGE

    with ThreadPoolExecutor(1) as worker:
        held = worker.submit(lambda: b"".join(unpack(slow())))
        assert begun.wait(DEADLINE)
        decode_at_once(unpack, 1)
        go_on.set()
        held.result(DEADLINE)
    assert sorted(told.read_text().split()) == ["1", "2", "end", "end"]


def test_a_package_that_is_given_up_gives_its_processors_back(told: Path) -> None:
    """After a decoding that was broken off, and one whose source failed, the next has all processors."""
    unpack = unpacker(told, 2)

    def failing() -> Iterator[bytes]:
        raise ConnectionError
        yield b""

    given_up = unpack([PACKAGE])
    next(given_up)
    given_up.close()
    with pytest.raises(ConnectionError):
        list(unpack(failing()))
    told.write_text("")
    decode_at_once(unpack, 1)
    assert told.read_text().split() == ["2", "end"]
