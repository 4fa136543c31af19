"""Writing in a background thread changes the timing, not the result."""

from threading import Event

import pytest

from services.downloader.background import in_background
from tests.support.waiting import PATIENCE


class Target:
    """A writer that keeps its pieces, and fails at a marked piece."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.failed = Event()

    def write(self, data: bytes, /) -> int:
        """Keep a piece."""
        if data == b"bad":
            self.failed.set()
            raise ConnectionError("the bucket is gone")
        self.got.append(data)
        return len(data)


def test_everything_is_written_in_its_order_when_the_block_ends() -> None:
    """More pieces than the queue holds are written."""
    target = Target()
    with in_background(target) as writer:
        assert [writer.write(b"%d" % number) for number in range(50)] == [1] * 10 + [2] * 40
    assert target.got == [b"%d" % number for number in range(50)]


def test_a_failure_comes_out_of_a_later_write() -> None:
    """The producer of the pieces stops."""
    target = Target()

    def write_on() -> None:
        with in_background(target) as writer:
            writer.write(b"bad")
            assert target.failed.wait(PATIENCE)
            for _ in range(1000):
                writer.write(b"more")

    with pytest.raises(ConnectionError):
        write_on()
    assert target.got == []


def test_a_failure_at_the_end_is_not_lost() -> None:
    """The block fails if the last piece was not written."""
    with pytest.raises(ConnectionError), in_background(Target()) as writer:
        writer.write(b"bad")


def test_an_exception_of_the_block_is_the_one_that_counts() -> None:
    """The block's exception is raised once the thread has ended."""
    with pytest.raises(KeyError), in_background(Target()):
        raise KeyError
