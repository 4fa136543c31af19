"""Packages that lbzip2 decodes share the processors."""

import bz2
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from services.downloader.bzip2.unpacker import Unpacker
from tests.support import optional_tools
from tests.support.waiting import PATIENCE

LBZIP2 = shutil.which("lbzip2")
PACKAGE = bz2.compress(b"a line\n" * 1000)

pytestmark = pytest.mark.skipif(not LBZIP2, reason=optional_tools.LBZIP2.reason)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Return the file in which a fake lbzip2 writes its number of threads and its end."""
    program = tmp_path / "lbzip2"
    program.write_text(f'#!/bin/sh\necho "$4" >> {tmp_path}/log\n{LBZIP2} "$@"\necho end >> {tmp_path}/log\n')
    program.chmod(0o755)
    return tmp_path / "log"


def unpacker(log: Path, processors: int, max_wait: float = PATIENCE) -> Unpacker:
    """Return an unpacker that uses the fake."""
    return Unpacker(processors, str(log.with_name("lbzip2")), max_wait)


def decode_at_once(unpack: Unpacker, packages: int) -> None:
    """Decode packages whose requests arrive together."""
    together = Barrier(packages)

    def decode(_: int) -> bytes:
        together.wait(PATIENCE)
        return b"".join(unpack([PACKAGE]))

    with ThreadPoolExecutor(packages) as workers:
        whole = list(workers.map(decode, range(packages)))
    assert whole == [bz2.decompress(PACKAGE)] * packages


def test_a_package_alone_has_every_processor(log: Path) -> None:
    """One package on six processors is decoded with six threads."""
    decode_at_once(unpacker(log, 6), 1)
    assert log.read_text().split() == ["6", "end"]


def test_two_processors_take_one_package_after_the_other(log: Path) -> None:
    """Three packages that arrive together are decoded one after another, each with both processors."""
    decode_at_once(unpacker(log, 2), 3)
    assert log.read_text().split() == ["2", "end"] * 3


def test_one_processor_gives_one_thread(log: Path) -> None:
    """With one processor two packages are decoded one after another, each with one thread."""
    decode_at_once(unpacker(log, 1), 2)
    assert log.read_text().split() == ["1", "end"] * 2


def test_a_package_whose_source_is_slow_holds_up_no_other_for_long(log: Path) -> None:
    """While one package's source is slow, another is decoded at the same time with one thread."""
    unpack, begun, go_on = unpacker(log, 2, 0.1), Event(), Event()

    def slow() -> Iterator[bytes]:
        begun.set()
        assert go_on.wait(PATIENCE)
        yield PACKAGE

    with ThreadPoolExecutor(1) as worker:
        held = worker.submit(lambda: b"".join(unpack(slow())))
        assert begun.wait(PATIENCE)
        decode_at_once(unpack, 1)
        go_on.set()
        held.result(PATIENCE)
    assert sorted(log.read_text().split()) == ["1", "2", "end", "end"]


def test_a_package_that_is_given_up_gives_its_processors_back(log: Path) -> None:
    """After a decode that was cancelled or whose source failed, the next package has all processors."""
    unpack = unpacker(log, 2)

    def failing() -> Iterator[bytes]:
        raise ConnectionError
        yield b""

    given_up = unpack([PACKAGE])
    next(given_up)
    given_up.close()
    with pytest.raises(ConnectionError):
        list(unpack(failing()))
    log.write_text("")
    decode_at_once(unpack, 1)
    assert log.read_text().split() == ["2", "end"]
