"""Where a pass begins: at the first pass's look-back, and then an overlap before the last one that was completed."""

from datetime import timedelta

from services.secops_forwarder.poll.listings import OVERLAP
from services.secops_forwarder.poll.page_log_writer import PageLogWriter
from services.secops_forwarder.poll.passes import Passes
from shared.streams.page_log import Published
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryBucket, MemoryPublisher
from tests.support.streams import STREAM


def passes(hint: Published) -> Passes:
    """Return the passes of a poll at noon, of a stream without a page."""
    writer = PageLogWriter(STREAM, MemoryBucket(), MemoryPublisher(), 0)
    return Passes(STREAM, writer, hint, now=Clock(), page_size=2)


def test_the_first_pass_looks_back() -> None:
    """Only the first one sets the begin."""
    first = passes(Published())
    assert first.begin()
    assert first.following().since == NOON - STREAM.look_back
    assert not first.begin()


def test_the_next_pass_begins_an_overlap_before_a_completed_one() -> None:
    """Unless one request reads everything since an earlier time."""
    done = passes(Published(since=NOON - timedelta(hours=5)))
    known = {str(minutes): NOON - timedelta(minutes=minutes) for minutes in (1, 2)}
    assert done.since_after(done.new(), {}) == NOON - timedelta(hours=5)
    assert done.since_after(done.new(), known) == NOON - OVERLAP
