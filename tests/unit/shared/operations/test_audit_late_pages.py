"""A page whose items are in no package is named, and few pages are read to find it."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts.minutes import manifest_name
from shared.feeds.definition import find_feed
from shared.operations.audit_late_pages import late_pages
from shared.operations.audit_streams import audit_streams
from shared.operations.findings import Finding
from shared.streams.page_log import PageLog, page_name, pages_folder
from tests.support.doubles import NOON, Clock
from tests.support.landed import land
from tests.support.memory import MemoryBucket
from tests.support.pages import page_head

EVER = datetime(1970, 1, 1, tzinfo=UTC)
FEED = find_feed("ioc_stream")
ONE_HOUR = timedelta(hours=1)
REMEDY = "gti-mesh replay ioc_stream 2026-11-21T12:00Z 2026-11-21T12:00Z --force --replace"


class Log:
    """A log of pages and the landings of its hours, in memory."""

    def __init__(self) -> None:
        self.clock = Clock(NOON)
        self.bucket = MemoryBucket(now=self.clock)
        self.sequence = 0

    def write(self, landed_at: datetime, items: int = 2) -> None:
        """Write a page now that names a time."""
        self.sequence += 1
        texts = [b'{"id":"%d"}' % number for number in range(items)]
        assert PageLog(self.bucket, "ioc_stream").append(page_head(self.sequence, landed_at), texts)

    def land(self, hour: datetime, lines: int) -> None:
        """Commit the landing of an hour."""
        landed = land(self.bucket, FEED, hour, [None] * lines)
        assert self.bucket.create(manifest_name("ioc_stream", hour), landed.body)

    def late(self, since: datetime = EVER) -> list[Finding]:
        """Return the findings about late pages."""
        listed = {int(one.name[-15:-5]): one for one in self.bucket.listed(pages_folder("ioc_stream"), "")}
        return list(late_pages(self.bucket, "ioc_stream", listed, since))


@pytest.fixture
def log() -> Log:
    """Return an hour with two pages in time, which has landed with them."""
    made = Log()
    made.write(NOON)
    made.clock.advance(minutes=30)
    made.write(made.clock())
    made.clock.time = NOON + timedelta(minutes=76)
    made.land(NOON, 4)
    return made


def test_pages_in_time_are_in_their_hour(log: Log) -> None:
    """A page that was written minutes after the time that it names is in time, too."""
    log.write(log.clock() - timedelta(minutes=5))
    assert log.late() == []


def test_a_late_page_is_named_with_the_replay_that_loads_it(log: Log) -> None:
    """The hour has fewer lines than its pages have items, until it is landed again."""
    log.write(NOON + timedelta(minutes=59), items=3)
    assert log.late() == [
        Finding("page 3 was written after 2026-11-21T12:00:00Z had landed, which has 4 of 7 items", REMEDY)
    ]
    assert log.late(log.clock() + ONE_HOUR) == []
    [audited] = audit_streams(log.bucket, EVER, deep=False, now=log.clock())
    assert REMEDY in [finding.remedy for finding in audited.findings]
    log.bucket.delete(manifest_name("ioc_stream", NOON))
    log.land(NOON, 7)
    assert log.late() == []


def test_an_hour_that_has_not_landed_will_have_every_page(log: Log) -> None:
    """Its package is made from what is there by then."""
    log.bucket.delete(manifest_name("ioc_stream", NOON))
    log.write(NOON + timedelta(minutes=59))
    log.land(NOON - ONE_HOUR, 0)
    assert log.late() == []


def test_pages_from_before_the_first_landing_are_not_read() -> None:
    """A stream that never was in BigQuery has no hours, and one that came to it later has none of before."""
    log = Log()
    log.write(NOON)
    log.bucket.delete(page_name("ioc_stream", 1))
    log.bucket.create(page_name("ioc_stream", 1), b"{}")
    log.clock.advance(days=1)
    assert log.late() == []
    log.land(log.clock(), 0)
    assert log.late() == []
    log.land(NOON, 0)
    [finding] = log.late()
    assert "0000000001.json is not a page" in finding.what


def test_a_page_that_cannot_be_read_is_named(log: Log) -> None:
    """With the step that restores it."""
    log.write(NOON + timedelta(minutes=59))
    log.bucket.delete(page_name("ioc_stream", 3))
    log.bucket.create(page_name("ioc_stream", 3), b"{}")
    [finding] = log.late()
    assert "0000000003.json is not a page" in finding.what
    assert finding.remedy.startswith("restore an earlier version of gs://landing/")
