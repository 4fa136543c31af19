"""Writing beside the work changes when, not what."""

from threading import Event

import pytest

from services.downloader.background import in_background


class Target:
    """A writer that keeps what it gets, and fails at a piece that says so."""

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
    """More pieces than may wait come through."""
    target = Target()
    with in_background(target) as writer:
        assert [writer.write(b"%d" % number) for number in range(50)] == [1] * 10 + [2] * 40
    assert target.got == [b"%d" % number for number in range(50)]


def test_a_failure_comes_out_of_a_later_write() -> None:
    """Whoever makes the pieces stops making them."""
    target = Target()

    def write_on() -> None:
        with in_background(target) as writer:
            writer.write(b"bad")
            assert target.failed.wait(20)
            for _ in range(1000):
                writer.write(b"more")

    with pytest.raises(ConnectionError):
        write_on()
    assert target.got == []


def test_a_failure_at_the_end_is_not_lost() -> None:
    """The block does not end well when the last piece was not written."""
    with pytest.raises(ConnectionError), in_background(Target()) as writer:
        writer.write(b"bad")


def test_an_exception_of_the_block_is_the_one_that_counts() -> None:
    """It comes out as it is once the thread has ended."""
    with pytest.raises(KeyError), in_background(Target()):
        raise KeyError
