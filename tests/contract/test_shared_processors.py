"""Packages that are decoded at once by lbzip2 share the processors."""

import bz2
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from services.downloader.unpack import Unpacker

LBZIP2 = shutil.which("lbzip2")
PACKAGE = bz2.compress(b"a line\n" * 1000)
DEADLINE = 20.0

pytestmark = pytest.mark.skipif(not LBZIP2, reason="lbzip2 is not installed")


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Return the file in which a stand-in for lbzip2 writes what it was asked for, before it lets lbzip2 do it."""
    program = tmp_path / "lbzip2"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nexec {LBZIP2} "$@"\n')
    program.chmod(0o755)
    return tmp_path / "asked"


def threads(asked: Path) -> list[int]:
    """Return the threads of each decoder, in the order of their starts."""
    return [int(line.split()[-1]) for line in asked.read_text().splitlines()]


def test_one_package_gets_all_processors_and_four_at_once_one_thread_each(asked: Path) -> None:
    """Six processors decode a package with six threads, four at once with one each, and then one with six again."""
    unpack, together = Unpacker(6, str(asked.with_name("lbzip2"))), Barrier(4)

    def arriving() -> Iterator[bytes]:
        together.wait(DEADLINE)
        yield PACKAGE

    b"".join(unpack([PACKAGE]))
    with ThreadPoolExecutor(4) as workers:
        whole = list(workers.map(lambda _: b"".join(unpack(arriving())), range(4)))
    b"".join(unpack([PACKAGE]))

    assert whole == [bz2.decompress(PACKAGE)] * 4
    assert threads(asked) == [6, 1, 1, 1, 1, 6]


def test_a_package_that_is_given_up_gives_its_processors_back(asked: Path) -> None:
    """After a decoding that was broken off, and one whose source failed, the next has all processors."""
    unpack = Unpacker(6, str(asked.with_name("lbzip2")))

    def failing() -> Iterator[bytes]:
        raise ConnectionError
        yield b""

    given_up = unpack([PACKAGE])
    next(given_up)
    given_up.close()
    with pytest.raises(ConnectionError):
        list(unpack(failing()))
    b"".join(unpack([PACKAGE]))

    assert threads(asked) == [6, 6]
