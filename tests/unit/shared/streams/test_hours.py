"""The pages of an hour, whatever the log looks like, without reading all of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.outcomes import Misconfigured
from shared.streams.hours import CLOCKS_DIFFER, HourlyLog
from shared.streams.page_log import PageLog, Published, PublishedStore, page_name
from tests.support.doubles import NOON
from tests.support.memory import MemoryBucket, reads
from tests.support.pages import page_head

HOUR = timedelta(hours=1)
GAPS = st.integers(min_value=0, max_value=4000)
WRONG = st.integers(min_value=0, max_value=int(CLOCKS_DIFFER.total_seconds()) // 2)


def log_of(times: Sequence[datetime], published: int) -> MemoryBucket:
    """Return a bucket with a page for each time, of which the hint names some."""
    bucket = MemoryBucket()
    log = PageLog(bucket, "ioc_stream")
    for sequence, time in enumerate(times, 1):
        assert log.append(page_head(sequence, time), [b'{"n":%d}' % sequence])
    PublishedStore(bucket, "ioc_stream").save(Published(published=published), 0)
    return bucket


def found(bucket: MemoryBucket, begin: datetime) -> list[int]:
    """Return the numbers of the pages of an hour."""
    return [page.head.sequence for page in HourlyLog(bucket, "ioc_stream").pages(begin, begin + HOUR)]


@given(
    steps=st.lists(st.tuples(GAPS, WRONG), max_size=40),
    hour=st.integers(min_value=-1, max_value=20),
    unpublished=st.integers(min_value=0, max_value=40),
)
def test_every_page_of_an_hour_is_found(steps: list[tuple[int, int]], hour: int, unpublished: int) -> None:
    """Also where clocks differ, where pages are written at once, and where the hint is behind or lost."""
    now, times = NOON, []
    for gap, wrong in steps:
        now += timedelta(seconds=gap)
        times.append(now + timedelta(seconds=wrong))
    bucket = log_of(times, max(len(times) - unpublished, 0))
    begin = NOON + hour * HOUR
    assert found(bucket, begin) == [n for n, time in enumerate(times, 1) if begin <= time < begin + HOUR]


def test_a_long_log_is_not_read() -> None:
    """A new hour costs the pages of it and a few more, an old one the logarithm of the log."""
    times = [NOON + number * timedelta(minutes=5) for number in range(2000)]
    bucket = log_of(times, 2000)
    names = reads(bucket)
    assert len(found(bucket, times[-1] - HOUR)) == 12
    assert len(names) < 50
    names.clear()
    assert len(found(bucket, NOON + 10 * HOUR)) == 12
    assert len(names) < 50


def test_a_page_that_is_gone_is_no_end_of_the_log() -> None:
    """An hour without it would look complete."""
    bucket = log_of([NOON + number * timedelta(minutes=5) for number in range(12)], 12)
    bucket.delete(page_name("ioc_stream", 6))
    with pytest.raises(Misconfigured, match=r"0000000006.json is gone; restore"):
        found(bucket, NOON)


def test_a_log_without_pages_has_empty_hours() -> None:
    """A stream that was never polled."""
    assert found(MemoryBucket(), NOON) == []
