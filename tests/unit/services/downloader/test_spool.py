"""A package is downloaded at full speed, into memory shared by all packages."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from threading import enumerate as enumerate_threads

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.downloader.spool import Spools
from shared.contracts.outcomes import Retryable
from tests.support.waiting import PATIENCE, wait_until

MINUTE = timedelta(minutes=1)
SPOOLS = Spools(2**20)
CHUNKS = [bytes([number]) * 1000 for number in range(100)]


class Wire:
    """A package whose bytes are always available; counts them, and sets `out` once all were read."""

    def __init__(self, chunks: list[bytes], failure: Exception | None = None) -> None:
        self.given = 0
        self.out = Event()
        self.stopped = Event()
        self._chunks = chunks
        self._failure = failure

    def chunks(self) -> Iterator[bytes]:
        """Yield the chunks, then fail or end."""
        for chunk in self._chunks:
            self.given += 1
            yield chunk
        self.out.set()
        if self._failure:
            raise self._failure

    def stop(self) -> None:
        """Record it."""
        self.stopped.set()


class Silent(Wire):
    """A package whose bytes never arrive."""

    def chunks(self) -> Iterator[bytes]:
        """Wait until stopped."""
        self.stopped.wait(PATIENCE)
        yield b""


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=20), st.integers(0, 200), st.integers(0, 200))
def test_bytes_come_out_as_they_went_in(chunks: list[bytes], shared: int, own: int) -> None:
    """All bytes arrive in order with any memory, and all memory is released."""
    spools = Spools(shared, own)
    with spools.taken_off_the_wire(Wire(chunks), MINUTE) as out:
        assert b"".join(out) == b"".join(chunks)
    assert spools.free == shared


def test_the_wire_is_empty_before_the_first_byte_is_used() -> None:
    """The source is read at full speed, however slow the decoder, as long as there is memory."""
    wire = Wire(CHUNKS)
    with Spools(95_000, 5_000).taken_off_the_wire(wire, MINUTE) as out:
        assert wire.out.wait(PATIENCE)
        assert b"".join(out) == b"".join(CHUNKS)


def test_the_wire_waits_when_memory_is_used_up() -> None:
    """Nothing more is read until the held bytes are used; then all of them arrive."""
    wire = Wire(CHUNKS)
    with Spools(10_000, 5_000).taken_off_the_wire(wire, MINUTE) as out:
        wait_until(lambda: wire.given == 16, "the sixteenth chunk waits for room")
        assert not wire.out.wait(0.1)
        assert b"".join(out) == b"".join(CHUNKS)


def test_packages_share_what_they_hold_and_none_waits_for_another() -> None:
    """One package takes all shared memory.

    The others continue with their own, and with the shared memory once it is released.
    """
    spools = Spools(10_000, 5_000)
    first, second = Wire(CHUNKS), Wire(CHUNKS)
    with spools.taken_off_the_wire(first, MINUTE) as out:
        wait_until(lambda: first.given == 16, "the first package has all")
        with spools.taken_off_the_wire(second, MINUTE) as other:
            wait_until(lambda: second.given == 6, "the second has its own")
            assert b"".join(other) == b"".join(CHUNKS)
        assert b"".join(out) == b"".join(CHUNKS)
    assert spools.free == 10_000


def test_a_package_that_is_given_up_makes_room_for_the_others() -> None:
    """Its memory is released at once, and its reader ends."""
    spools = Spools(10_000, 1_000)
    greedy, other = Wire(CHUNKS), Wire(CHUNKS[:11])
    with spools.taken_off_the_wire(other, MINUTE) as out:
        assert other.out.wait(PATIENCE)
        with spools.taken_off_the_wire(greedy, MINUTE):
            wait_until(lambda: greedy.given == 2, "the second chunk waits for room")
        assert spools.free == 0
        assert b"".join(out) == b"".join(CHUNKS[:11])
    assert spools.free == 10_000


@settings(deadline=None, max_examples=20)
@given(st.lists(st.integers(1, 3_000), min_size=2, max_size=40), st.integers(0, 5_000), st.integers(0, 3_000))
def test_any_packages_at_once_come_to_their_ends(sizes: list[int], shared: int, own: int) -> None:
    """Four packages finish with any memory, although their consumers do not wait for one another."""
    spools = Spools(shared, own)
    chunks = [bytes([number]) * size for number, size in enumerate(sizes)]

    def read(_: int) -> bytes:
        with spools.taken_off_the_wire(Wire(chunks), MINUTE) as out:
            return b"".join(out)

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(read, range(4))) == [b"".join(chunks)] * 4
    assert spools.free == shared


def test_what_reading_raises_comes_out_after_the_bytes_before() -> None:
    """The reader's error is raised to the consumer of the bytes."""
    with SPOOLS.taken_off_the_wire(Wire([b"one"], Retryable("broken")), MINUTE) as out:
        assert next(out) == b"one"
        with pytest.raises(Retryable, match="broken"):
            next(out)


def test_silence_ends_at_the_limit() -> None:
    """A source that sends nothing blocks nothing beyond the limit, and its reader is woken."""
    wire = Silent([])
    with (
        pytest.raises(Retryable, match="took longer"),
        SPOOLS.taken_off_the_wire(wire, timedelta(seconds=0.05)) as out,
    ):
        next(out)
    assert wire.stopped.is_set()


def test_whoever_gives_up_stops_the_reading() -> None:
    """An exception of the consumer ends the reader."""
    wire = Silent([])
    with pytest.raises(KeyError), SPOOLS.taken_off_the_wire(wire, MINUTE):
        raise KeyError
    assert wire.stopped.is_set()


def slowly(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Read ten chunks per second."""
    never = Event()
    for chunk in chunks:
        never.wait(0.1)
        yield chunk


def test_a_reader_that_waits_for_room_is_woken_at_the_limit() -> None:
    """A download that exceeds its limit leaves no thread, whatever the thread waits for."""
    wire = Wire(CHUNKS)
    with (
        pytest.raises(Retryable, match="took longer"),
        Spools(0, 2_000).taken_off_the_wire(wire, timedelta(seconds=0.2)) as out,
    ):
        list(slowly(out))
    wait_until(lambda: "package-reader" not in [thread.name for thread in enumerate_threads()], "the reader ended")
