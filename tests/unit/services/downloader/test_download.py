"""The outcome of a requested minute."""

import gzip
import shutil
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest

from services.downloader.bzip2.libbz2 import CorruptPackageError, decompress
from services.downloader.bzip2.unpacker import Unpacker
from services.downloader.download import Downloader, Unpack
from services.downloader.landing import ChangedShapeError
from services.downloader.spool import Spools
from shared.contracts.interfaces import Writer
from shared.contracts.messages import MinuteAbsent, MinuteLanded, MinuteRequested, landing_event
from shared.contracts.outcomes import Poison, Retryable, TransientError
from shared.feeds.definition import known_feeds
from shared.operations.feed_conditions import FeedCondition, FeedConditions
from shared.virustotal.errors import KeyRefused, NotAvailableYet, NotLicensed, PackageMissing, RequestRefused
from tests.support.doubles import NOON, Body, Clock, Lists, Source, feed_lines, package_of
from tests.support.memory import MemoryBucket, MemoryPublisher
from tests.support.waiting import PATIENCE

MINUTE = NOON - timedelta(hours=2)
MANIFEST = "domains/2026/11/21/1000.json"


class DownloaderHarness:
    """A downloader with fakes."""

    def __init__(
        self,
        source: Source | None = None,
        deadline: timedelta = timedelta(seconds=60),
        unpack: Unpack = decompress,
        bucket: MemoryBucket | None = None,
        spools: Spools | None = None,
    ) -> None:
        self.bucket = bucket or MemoryBucket()
        self.publisher = MemoryPublisher()
        self.source = source or Source()
        self.lists = Lists()
        self.clock = Clock()
        self.source.packages[MINUTE] = package_of(feed_lines(3))
        self.downloader = Downloader(
            source=self.source,
            lists=self.lists,
            bucket=self.bucket,
            publisher=self.publisher,
            spools=spools or Spools(2**20),
            unpack=unpack,
            feeds=[known_feeds()["domains"], known_feeds()["threat_lists"]],
            now=self.clock,
            deadline=deadline,
        )

    def ask(self, minute: datetime = MINUTE, feed: str = "domains", *, force: bool = False) -> None:
        """Deliver a request."""
        self.downloader.handle(MinuteRequested(feed=feed, minute=minute, force=force))

    def events(self) -> list[MinuteLanded | MinuteAbsent]:
        """Return the published messages."""
        return [landing_event.read(message.body) for message in self.publisher.published["minutes-landed"]]

    def manifest(self) -> MinuteLanded:
        """Return the committed manifest."""
        return MinuteLanded.model_validate_json(self.bucket.objects[MANIFEST].data)


@pytest.fixture
def harness() -> DownloaderHarness:
    """Return a downloader with fakes."""
    return DownloaderHarness()


def test_a_minute_lands_once_and_is_announced(harness: DownloaderHarness) -> None:
    """The manifest commits the data object, and the event equals the manifest."""
    harness.ask()
    assert harness.events() == [harness.manifest()]
    assert sorted(harness.bucket.objects) == sorted([MANIFEST, harness.manifest().uri.removeprefix("gs://landing/")])


def test_a_redelivery_fetches_nothing(harness: DownloaderHarness) -> None:
    """A second delivery republishes the manifest and downloads nothing."""
    harness.ask()
    harness.ask()
    assert harness.source.opened == 1
    assert harness.events() == [harness.manifest()] * 2


def test_a_crash_before_the_manifest_leaves_the_minute_unlanded(harness: DownloaderHarness) -> None:
    """Data without a manifest does not count: the next delivery lands the minute again."""
    with harness.bucket.writing("domains/2026/11/21/1000-orphan.ndjson.gz", "application/gzip") as writer:
        writer.write(b"half")
    harness.ask()
    assert harness.manifest().lines == 3


def test_a_crash_between_manifest_and_message_is_healed(harness: DownloaderHarness) -> None:
    """If publishing fails after the commit, the redelivery only repeats the event."""
    harness.publisher.fail_with = Retryable("no Pub/Sub")
    with pytest.raises(Retryable):
        harness.ask()
    harness.publisher.fail_with = None
    harness.ask()
    assert harness.source.opened == 1
    assert harness.events() == [harness.manifest()]


@pytest.mark.parametrize("package", [package_of(feed_lines(3))[:-9], b"<html>", b"", package_of([b"bad"] * 30)])
def test_a_package_that_is_not_whole_never_lands(harness: DownloaderHarness, package: bytes) -> None:
    """A truncated, foreign, empty or mostly bad body raises and leaves nothing; the next attempt may succeed."""
    harness.source.packages[MINUTE] = package
    with pytest.raises((CorruptPackageError, ChangedShapeError)):
        harness.ask()
    assert not harness.bucket.names("domains/")
    assert not harness.publisher.published
    assert FeedConditions(harness.bucket).read("domains"), "the last error is kept"
    harness.source.packages[MINUTE] = package_of(feed_lines(3))
    harness.ask()
    assert harness.manifest().lines == 3
    assert FeedConditions(harness.bucket).read("domains") is None


def test_a_refused_key_is_a_condition_within_one_attempt(harness: DownloaderHarness) -> None:
    """A refused key is a condition of the feed and the request is nacked.

    Another error replaces it, a package ends it.
    """
    conditions = FeedConditions(harness.bucket)
    for error, blocks in ((KeyRefused("401 for 10:50"), True), (TransientError("503"), False)):
        harness.source.packages[MINUTE] = error
        with pytest.raises(type(error)):
            harness.ask()
        condition = conditions.read("domains")
        assert condition
        assert (condition.error_type, condition.reason, condition.blocks) == (error.error_type, str(error), blocks)
    harness.source.packages[MINUTE] = package_of(feed_lines(3))
    harness.ask()
    assert conditions.read("domains") is None


def test_an_error_that_cannot_be_recorded_is_raised_all_the_same(harness: DownloaderHarness) -> None:
    """If the bucket fails while an error is recorded, the source's error is raised."""
    harness.source.packages[MINUTE] = KeyRefused("401")

    def away(name: str, *_: object) -> bool:
        raise Retryable(f"{name}: Cloud Storage failed")

    harness.bucket.replace = away  # type: ignore[assignment, method-assign]
    with pytest.raises(KeyRefused):
        harness.ask()


def test_a_minute_that_is_not_out_yet_changes_nothing(harness: DownloaderHarness) -> None:
    """NotAvailableYet is acked: a nack would slow down every other minute."""
    harness.source.packages[MINUTE] = NotAvailableYet("later")
    harness.ask()
    assert not harness.bucket.objects
    assert not harness.publisher.published


@pytest.mark.parametrize(("age_hours", "absent"), [(1.5, False), (7, False), (7.1, True), (100, True)])
def test_a_404_is_the_last_word_only_after_a_while(harness: DownloaderHarness, age_hours: float, absent: bool) -> None:
    """A missing package younger than availability + 6 h changes nothing; an older one is published as absent."""
    minute = NOON - timedelta(hours=age_hours)
    harness.ask(minute)
    expected = [MinuteAbsent(feed="domains", minute=minute, checked_at=NOON)] if absent else []
    assert harness.events() == expected


@pytest.mark.parametrize("trouble", [TransientError("503"), TransientError("429", 300), KeyRefused("401")])
def test_trouble_at_the_source_is_nacked(harness: DownloaderHarness, trouble: Exception) -> None:
    """429, 5xx, 401 and network errors are nacked: slowing everything down is right."""
    harness.source.packages[MINUTE] = trouble
    with pytest.raises(Retryable):
        harness.ask()


@pytest.mark.parametrize("refusal", [RequestRefused("400 BadRequestError")])
def test_a_refused_request_is_poison(harness: DownloaderHarness, refusal: Exception) -> None:
    """An invalid request cannot succeed by repetition."""
    harness.source.packages[MINUTE] = refusal
    with pytest.raises(Poison, match=str(refusal)):
        harness.ask()


def test_a_feed_without_a_licence_is_a_condition_of_the_feed_and_heals(harness: DownloaderHarness) -> None:
    """The message is acked, nothing is published, one condition is recorded, and the next package removes it."""
    conditions = FeedConditions(harness.bucket)
    for minute in (MINUTE, MINUTE + timedelta(minutes=1)):
        harness.source.packages[minute] = NotLicensed(f"403 for {minute:%H:%M}")
        harness.ask(minute)
        harness.clock.advance(minutes=1)
    assert not harness.publisher.published
    known = FeedCondition(
        error_type="not_licensed", reason="403 for 10:01", since=NOON, reported=NOON + timedelta(minutes=1)
    )
    assert conditions.read("domains") == known
    harness.source.packages[MINUTE] = package_of(feed_lines(3))
    harness.ask()
    assert conditions.read("domains") is None
    assert harness.events() == [harness.manifest()]


@pytest.mark.parametrize(
    ("minute", "feed", "reason"),
    [
        (NOON + timedelta(minutes=1), "domains", "is in the future"),
        (NOON - timedelta(days=7, minutes=1), "domains", "older than the 7 days .* never landed"),
        (MINUTE, "domain", "feed 'domain' is not switched on here; FEEDS has: domains"),
    ],
)
def test_a_request_that_can_never_succeed_is_poison(
    harness: DownloaderHarness, minute: datetime, feed: str, reason: str
) -> None:
    """The reason has the value and the limit, and the source is not called."""
    with pytest.raises(Poison, match=reason):
        harness.ask(minute, feed)
    assert harness.source.opened == 0


def test_a_feed_that_is_only_off_here_is_left_to_the_sweep(harness: DownloaderHarness) -> None:
    """The planner may already have the new revision: the message is acked, and nothing is requested or recorded."""
    harness.ask(feed="urls")
    assert harness.source.opened == 0
    assert not harness.publisher.published
    assert not harness.bucket.objects


def test_an_old_minute_with_a_manifest_is_announced_again(harness: DownloaderHarness) -> None:
    """Past the source's seven days a replay uses the bucket."""
    harness.ask()
    harness.clock.advance(days=30)
    harness.ask()
    assert harness.events() == [harness.manifest()] * 2


class SourceOfTwo(Source):
    """Serves a package only once two downloads request it."""

    def __init__(self) -> None:
        super().__init__()
        self._both = Barrier(2, timeout=PATIENCE)

    @contextmanager
    def package(self, feed_path: str, minute: datetime) -> Iterator[Body]:
        """Wait for the other download."""
        self._both.wait()
        with super().package(feed_path, minute) as package:
            yield package


def test_of_two_downloads_at_once_one_commits() -> None:
    """Two threads download the same minute: one manifest, one data object, and both publish the winner."""
    harness = DownloaderHarness(SourceOfTwo())
    threads = [Thread(target=harness.ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=PATIENCE)
    assert harness.events() == [harness.manifest()] * 2
    assert sorted(harness.bucket.objects) == sorted([MANIFEST, harness.manifest().uri.removeprefix("gs://landing/")])


def test_several_minutes_at_once_do_not_mix() -> None:
    """Each thread lands its own minute with its own lines, through the same decoder."""
    harness = DownloaderHarness(unpack=Unpacker(2, shutil.which("lbzip2")))
    minutes = {MINUTE + timedelta(minutes=number): feed_lines(5 + number, minute=number) for number in range(8)}
    harness.source.packages |= {minute: package_of(lines) for minute, lines in minutes.items()}
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(harness.ask, minutes))
    landed = {event.minute: event for event in harness.events() if isinstance(event, MinuteLanded)}
    assert {minute: event.lines for minute, event in landed.items()} == {m: len(lines) for m, lines in minutes.items()}
    for minute, lines in minutes.items():
        stored = harness.bucket.objects[landed[minute].uri.removeprefix("gs://landing/")].data
        rows = gzip.decompress(stored).splitlines()
        assert [row.partition(b',"object":')[2] for row in rows] == [line + b"}" for line in lines]


def test_the_loser_of_a_race_takes_its_rejects_with_it() -> None:
    """Neither data nor rejects of the second download remain."""
    harness = DownloaderHarness(SourceOfTwo())
    harness.source.packages[MINUTE] = package_of([*feed_lines(3), b"bad"])
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: harness.ask(), range(2)))
    rejects = harness.manifest().rejects_uri
    assert rejects
    named = {MANIFEST, *(uri.removeprefix("gs://landing/") for uri in (harness.manifest().uri, rejects))}
    assert set(harness.bucket.objects) == named


def test_force_with_the_same_content_announces_what_landed(harness: DownloaderHarness) -> None:
    """The second download is deleted and the first landing republished."""
    harness.ask()
    before = dict(harness.bucket.objects)
    harness.ask(force=True)
    assert harness.source.opened == 2
    assert harness.bucket.objects == before
    assert harness.events() == [harness.manifest()] * 2


def test_force_with_other_content_is_kept_beside_and_dead_lettered(harness: DownloaderHarness) -> None:
    """The landing is unchanged, the new content is kept, and the reason has both addresses."""
    harness.ask()
    before = harness.manifest()
    harness.source.packages[MINUTE] = package_of(feed_lines(4))
    with pytest.raises(Poison, match="source changed") as caught:
        harness.ask(force=True)
    assert harness.manifest() == before
    assert harness.events() == [before]
    beside = [
        name for name in harness.bucket.objects if harness.bucket.uri(name) not in (before.uri,) and name != MANIFEST
    ]
    assert len(beside) == 1
    assert harness.bucket.uri(beside[0]) in caught.value.reason


@pytest.mark.parametrize("failure", [b"<html>", NotAvailableYet("x"), None, TransientError("503"), NotLicensed("403")])
def test_force_that_fails_changes_nothing(harness: DownloaderHarness, failure: bytes | Exception | None) -> None:
    """After any failure the landing, its objects and its messages are unchanged."""
    harness.ask()
    before, events = dict(harness.bucket.objects), harness.events()
    harness.clock.advance(hours=20)
    if failure is None:
        del harness.source.packages[MINUTE]
    else:
        harness.source.packages[MINUTE] = failure
    with suppress(Retryable, Poison):
        harness.ask(force=True)
    harness.bucket.delete("state/feeds/domains.json")
    assert harness.bucket.objects == before
    assert harness.events() == events


def test_force_without_a_landing_is_an_ordinary_download(harness: DownloaderHarness) -> None:
    """Nothing has landed, so there is nothing to compare."""
    harness.ask(force=True)
    assert harness.events() == [harness.manifest()]


class BucketWithoutRejects(MemoryBucket):
    """A bucket that cannot create an object of rejects."""

    @contextmanager
    def writing(self, name: str, content_type: str) -> Iterator[Writer]:
        """Stream a new object, except rejects."""
        if ".rejects." in name:
            raise Retryable("the bucket is gone")
        with super().writing(name, content_type) as writer:
            yield writer


def test_a_landing_that_fails_ends_the_decoder() -> None:
    """The decoder, which may be a process, has ended when the error is raised, not only at garbage collection."""
    left = []

    def unpack(chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        del chunks
        try:
            yield from (b"bad\n", b"and more\n")
        finally:
            left.append("the decoder")

    with pytest.raises(Retryable, match="the bucket is gone") as failure:
        DownloaderHarness(unpack=unpack, bucket=BucketWithoutRejects()).ask()
    assert left, failure


def test_a_download_that_takes_too_long_stops_before_the_ack_deadline() -> None:
    """After its deadline the download raises and lands nothing."""
    harness = DownloaderHarness(deadline=timedelta(seconds=-1))
    with pytest.raises(Retryable, match="took longer"):
        harness.ask()
    assert not harness.bucket.names("domains/")


HOUR = MINUTE.replace(minute=0)
LIST_LINES = b"".join(
    b'{"threat_list":"iot","data":{"type":"file","id":"%d","attributes":{"n":%d}}}\n' % (number, number)
    for number in range(3)
)
HOUR_MANIFEST = "threat_lists/2026/11/21/1000.json"


def ask_for_hour(harness: DownloaderHarness, minute: datetime = HOUR, *, force: bool = False) -> None:
    """Deliver a request for an hour of the threat lists."""
    harness.ask(minute, "threat_lists", force=force)


def test_an_hour_of_threat_lists_lands_like_a_minute(harness: DownloaderHarness) -> None:
    """The same manifest and event; a redelivery fetches nothing."""
    harness.lists.hours[HOUR] = (LIST_LINES, None)
    ask_for_hour(harness)
    ask_for_hour(harness)
    [first, second] = harness.events()
    assert first == second == MinuteLanded.model_validate_json(harness.bucket.objects[HOUR_MANIFEST].data)
    assert (first.feed, first.minute, first.lines if isinstance(first, MinuteLanded) else 0) == (
        "threat_lists",
        HOUR,
        3,
    )
    assert harness.lists.opened == 1


def test_a_list_that_breaks_leaves_nothing_of_the_hour(harness: DownloaderHarness) -> None:
    """An hour is whole or not there, and the next delivery lands it."""
    harness.lists.hours[HOUR] = (LIST_LINES, TransientError("429"))
    with pytest.raises(TransientError):
        ask_for_hour(harness)
    assert not [name for name in harness.bucket.objects if name.startswith("threat_lists/")]
    harness.lists.hours[HOUR] = (LIST_LINES, None)
    ask_for_hour(harness)
    assert HOUR_MANIFEST in harness.bucket.objects


def test_a_second_download_of_an_hour_changes_nothing(harness: DownloaderHarness) -> None:
    """Attributes are those of the download, so other content is normal: the first landing stays."""
    harness.lists.hours[HOUR] = (LIST_LINES, None)
    ask_for_hour(harness)
    before = dict(harness.bucket.objects)
    harness.lists.hours[HOUR] = (LIST_LINES.replace(b'"n":', b'"m":'), None)
    ask_for_hour(harness, force=True)
    assert {name: one.data for name, one in harness.bucket.objects.items()} == {
        n: one.data for n, one in before.items()
    }
    [first, second] = harness.events()
    assert first == second


def test_a_minute_inside_an_hour_is_refused_and_marks_no_minute(harness: DownloaderHarness) -> None:
    """The reason names the hour; a dead letter of this type has no minute in the ledger."""
    with pytest.raises(Poison, match="ask for 2026-11-21T10:00:00Z") as refused:
        ask_for_hour(harness, HOUR + timedelta(minutes=10))
    assert refused.value.error_type == "invalid_message"


@pytest.mark.parametrize(("hours", "absent"), [(7, False), (9, True)])
def test_an_hour_is_absent_later_than_a_minute(harness: DownloaderHarness, hours: int, absent: bool) -> None:
    """Six hours after its lag, which is two."""
    hour = NOON - timedelta(hours=hours)
    harness.lists.hours[hour] = (b"", PackageMissing("no list has it"))
    ask_for_hour(harness, hour)
    events = harness.events() if harness.publisher.published else []
    assert [isinstance(event, MinuteAbsent) for event in events] == ([True] if absent else [])
