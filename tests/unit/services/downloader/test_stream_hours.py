"""The package of an hour of a stream, from the log of pages."""

import gzip
import json
import logging
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from services.downloader.bzip2.libbz2 import decompress
from services.downloader.download import Downloader
from services.downloader.spool import Spools
from services.downloader.stream_hours import StreamHours
from shared.contracts.manifests import read_manifest
from shared.contracts.messages import MinuteRequested
from shared.contracts.outcomes import Poison, Retryable
from shared.feeds.definition import find_feed
from shared.operations.feed_conditions import FeedConditions
from shared.streams.page_log import PageLog, page_name
from shared.virustotal.errors import NotAvailableYet
from tests.support.doubles import NOON, Clock, Lists, Source
from tests.support.memory import MemoryBucket, MemoryPublisher
from tests.support.pages import page_head
from tests.support.streams import notification

FEED = find_feed("ioc_stream")
HOUR = NOON - timedelta(hours=3)


class StreamDownloader:
    """A downloader of one stream, with a log of pages in memory."""

    def __init__(self) -> None:
        self.bucket = MemoryBucket()
        self.clock = Clock()
        self.publisher = MemoryPublisher()
        self.log = PageLog(self.bucket, "ioc_stream")
        self.numbers = count(1)
        self.downloader = Downloader(
            source=Source(),
            lists=Lists(),
            bucket=self.bucket,
            publisher=self.publisher,
            spools=Spools(2**20),
            unpack=decompress,
            feeds=[FEED],
            now=self.clock,
            deadline=timedelta(seconds=60),
        )

    def add(self, landed_at: datetime, *items: bytes) -> None:
        """Append a page."""
        assert self.log.append(page_head(next(self.numbers), landed_at), items)

    def ask(self, hour: datetime = HOUR, *, force: bool = False) -> None:
        """Deliver a request."""
        self.downloader.handle(MinuteRequested(feed="ioc_stream", minute=hour, force=force))

    def lines(self, hour: datetime = HOUR) -> list[dict[str, Any]]:
        """Return the lines that have landed."""
        landed = read_manifest(self.bucket, "ioc_stream", hour)
        assert landed
        data = gzip.decompress(self.bucket.objects[self.bucket.name_of(landed.uri)].data)
        return [json.loads(line) for line in data.splitlines()]


@pytest.fixture
def one() -> StreamDownloader:
    """Return a downloader with an empty log."""
    return StreamDownloader()


def item(number: int) -> bytes:
    """Return an item."""
    return json.dumps(notification(number, HOUR)).encode()


def test_an_hour_has_every_item_of_its_pages(one: StreamDownloader) -> None:
    """In the order of the log, byte for byte, with the stream's key as id; other hours have the other pages."""
    one.add(HOUR - timedelta(seconds=1), item(1))
    one.add(HOUR, item(2), item(3))
    one.add(HOUR + timedelta(minutes=59, seconds=59), item(4))
    one.add(HOUR + timedelta(hours=1), item(5))
    one.ask()
    wanted = [json.loads(item(number)) for number in (2, 3, 4)]
    assert one.lines() == [
        {
            "feed_minute": "2026-11-21T09:00:00Z",
            "feed_line": line,
            "id": each["context_attributes"]["notification_id"],
            "object": each,
        }
        for line, each in enumerate(wanted, 1)
    ]


def test_an_hour_without_pages_lands_empty(one: StreamDownloader) -> None:
    """Nothing happened, or the poll did not run: what it collects later belongs to a later hour."""
    one.ask()
    assert one.lines() == []


def test_line_breaks_between_tokens_do_not_make_lines(one: StreamDownloader) -> None:
    """An item that could not be closed up keeps its bytes."""
    one.add(HOUR, item(1).replace(b", ", b",\r\n "))
    one.ask()
    assert [line["object"] for line in one.lines()] == [json.loads(item(1))]


def test_an_hour_that_is_not_over_does_not_land(one: StreamDownloader) -> None:
    """A page of it may still be written: the request is acked, and the sweep asks again."""
    one.clock.time = HOUR + timedelta(minutes=74)
    one.ask()
    assert read_manifest(one.bucket, "ioc_stream", HOUR) is None
    with pytest.raises(NotAvailableYet, match="ioc_stream of 2026-11-21T09:00:00Z is complete 75 minutes after"):
        list(StreamHours(one.bucket, deadline=timedelta(seconds=60), now=one.clock).lines(FEED, HOUR))
    one.clock.advance(minutes=1)
    one.ask()
    assert one.lines() == []


def test_a_second_package_is_the_same(one: StreamDownloader) -> None:
    """Pages never change, so a forced download publishes the first landing again."""
    one.add(HOUR, item(1), item(2))
    one.ask()
    one.ask(force=True)
    first, second = one.publisher.published["minutes-landed"]
    assert first == second


def test_a_page_that_is_written_too_late_is_another_content(one: StreamDownloader) -> None:
    """It is never mixed with what has landed; the error names the command that loads it."""
    one.add(HOUR, item(1))
    one.ask()
    one.add(HOUR + timedelta(minutes=1), item(2))
    with pytest.raises(
        Poison, match="gti-mesh replay ioc_stream 2026-11-21T09:00Z 2026-11-21T09:00Z --replace --force"
    ):
        one.ask(force=True)


def test_a_page_that_cannot_be_read_stops_the_hour(one: StreamDownloader) -> None:
    """Nothing lands, and the condition of the feed says which page."""
    one.add(HOUR, item(1))
    one.bucket.delete(page_name("ioc_stream", 1))
    one.bucket.create(page_name("ioc_stream", 1), b"{}")
    with pytest.raises(Exception, match="is not a page"):
        one.ask()
    condition = FeedConditions(one.bucket).read("ioc_stream")
    assert condition
    assert "0000000001.json is not a page" in condition.reason


def test_no_content_is_logged(one: StreamDownloader, caplog: pytest.LogCaptureFixture) -> None:
    """Alerts hold personal data: neither a good item nor one without a key leaves a trace in the log."""
    caplog.set_level(logging.DEBUG)
    one.add(HOUR, item(1), b'{"id":"secret","context_attributes":{"notification_id":null}}')
    one.ask()
    [landed] = [read_manifest(one.bucket, "ioc_stream", HOUR)]
    assert landed
    assert (landed.lines, landed.rejected) == (2, 1)
    assert "downloader.landed" in caplog.text
    for text in ("secret", "host-1.example", str(one.lines()[0]["id"])):
        assert text not in caplog.text


def test_an_hour_of_any_age_can_be_landed(one: StreamDownloader) -> None:
    """The log keeps every page, so a replay may ask for it after years."""
    long_ago = HOUR - timedelta(days=400)
    one.add(long_ago, item(1))
    one.ask(long_ago)
    assert len(one.lines(long_ago)) == 1


def test_a_read_that_takes_too_long_ends(one: StreamDownloader) -> None:
    """Past the ack deadline the hour would be delivered twice at once."""
    one.add(HOUR, item(1))
    time = count(0, 100)
    hours = StreamHours(one.bucket, deadline=timedelta(seconds=60), now=one.clock, elapsed=lambda: float(next(time)))
    with pytest.raises(Retryable, match="longer than the deadline"):
        list(hours.lines(FEED, HOUR))
