"""Pages of a stream that were written after their hour had been loaded: their items are in no package.

A package of an hour has the pages that landed in it, by the time that each page names. A poll that stands still between
that time and the write makes a page late. A listing shows most pages to be in time, so few of them are read.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, time

from shared.contracts.interfaces import Bucket, Listed
from shared.contracts.manifests import FIRST_DAY, next_landed_day, read_manifest
from shared.contracts.minutes import Period, format_minute, replay_command
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import period_of
from shared.operations.findings import Finding
from shared.streams.hours import CLOCKS_DIFFER, HourlyLog
from shared.streams.page_log import NotAPage, find_page


def late_pages(bucket: Bucket, stream: str, pages: Mapping[int, Listed], since: datetime) -> Iterator[Finding]:
    """Yield the hours that have landed without all of their pages; pages are those of the whole log, by number."""
    first_day = next_landed_day(bucket, stream, FIRST_DAY)
    if first_day is None:
        # The stream never was in BigQuery.
        return
    period, since = period_of(stream), max(since, datetime.combine(first_day, time.min, UTC))
    late: dict[datetime, list[int]] = defaultdict(list)
    for sequence in _doubtful(pages, since, period):
        try:
            page = find_page(bucket, stream, sequence)
        except NotAPage as error:
            yield Finding(str(error), f"restore an earlier version of {bucket.uri(pages[sequence].name)}")
            continue
        if page and pages[sequence].created >= (hour := period.floor(page.head.landed_at)) + period.availability:
            late[hour].append(sequence)
    for hour, those in sorted(late.items()):
        yield from _compare(bucket, stream, hour, those)


def _doubtful(pages: Mapping[int, Listed], since: datetime, period: Period) -> Iterator[int]:
    """Yield the pages that may be late: a page names a time after its predecessor was written."""
    shortest = period.availability - period.length - CLOCKS_DIFFER
    before: datetime | None = None
    for sequence, page in sorted(pages.items()):
        if page.created >= since and (before is None or page.created - before >= shortest):
            yield sequence
        before = page.created


def _compare(bucket: Bucket, stream: str, hour: datetime, late: list[int]) -> Iterator[Finding]:
    remedy = replay_command(stream, hour, hour, "--force", "--replace")
    try:
        landed = read_manifest(bucket, stream, hour)
        items = sum(len(page.items) for page in HourlyLog(bucket, stream).pages(hour, hour + period_of(stream).length))
    except Misconfigured as error:
        yield Finding(f"{format_minute(hour)} cannot be compared with its pages", str(error))
        return
    if landed and landed.lines != items:
        which = f"page {', '.join(map(str, late))} was written after {format_minute(hour)} had landed"
        yield Finding(f"{which}, which has {landed.lines} of {items} items", remedy)
