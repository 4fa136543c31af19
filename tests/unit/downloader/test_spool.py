"""A package is taken off the wire as fast as it comes, in bounded memory."""

import resource
from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.downloader.spool import taken_off_the_wire
from shared.outcomes import Retryable

MINUTE = timedelta(minutes=1)


class Wire:
    """A package whose bytes come as they are given; `out` is set once all were taken."""

    def __init__(self, chunks: list[bytes], failure: Exception | None = None) -> None:
        self.out = Event()
        self.stopped = Event()
        self._chunks = chunks
        self._failure = failure

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks, then fail or end."""
        yield from self._chunks
        self.out.set()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Remember it."""
        self.stopped.set()


class Silent(Wire):
    """A package whose bytes never come."""

    def chunks(self) -> Iterator[bytes]:
        """Wait until somebody stops the waiting."""
        self.stopped.wait(20)
        yield b""


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20), st.integers(0, 200))
def test_bytes_come_out_as_they_went_in(chunks: list[bytes], memory: int) -> None:
    """In their order, whatever went through memory and what through the file."""
    with taken_off_the_wire(Wire(chunks), MINUTE, memory) as out:
        assert b"".join(out) == b"".join(chunks)


def test_the_wire_is_empty_before_the_first_byte_is_used() -> None:
    """However slow the decoding, the source gets rid of its bytes: what exceeds memory goes into a file."""
    wire = Wire([bytes([number]) * 1000 for number in range(100)])
    with taken_off_the_wire(wire, MINUTE, memory=5000) as out:
        assert wire.out.wait(20)
        assert b"".join(out) == b"".join(bytes([number]) * 1000 for number in range(100))


def test_what_reading_raises_comes_out_after_the_bytes_before() -> None:
    """The failure of the thread is the failure of whoever uses the bytes."""
    with taken_off_the_wire(Wire([b"one"], Retryable("broken")), MINUTE) as out:
        assert next(out) == b"one"
        with pytest.raises(Retryable, match="broken"):
            next(out)


def test_silence_ends_at_the_limit() -> None:
    """A source that sends nothing holds nobody past the limit, and its reader is woken."""
    wire = Silent([])
    with (
        pytest.raises(Retryable, match="took longer"),
        taken_off_the_wire(wire, timedelta(seconds=0.05)) as out,
    ):
        next(out)
    assert wire.stopped.is_set()


def test_whoever_gives_up_stops_the_reading() -> None:
    """An exception among the users of the bytes ends the thread that reads them."""
    wire = Silent([])
    with pytest.raises(KeyError), taken_off_the_wire(wire, MINUTE):
        raise KeyError
    assert wire.stopped.is_set()


def test_a_full_disk_ends_the_download_and_nothing_else() -> None:
    """What no longer fits is raised where the bytes are used, so that the minute is asked for again."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with (
            pytest.raises(OSError, match="File too large"),
            taken_off_the_wire(Wire([bytes(100_000)] * 3), MINUTE, memory=1000) as out,
        ):
            assert not list(out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
