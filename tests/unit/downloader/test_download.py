"""What becomes of a requested minute."""

import gzip
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest

from services.downloader.bzip2 import CorruptPackageError, decompress
from services.downloader.download import Downloader, Unpack
from services.downloader.landing import ChangedShapeError
from services.downloader.unpack import Unpacker
from shared.feeds.definition import known_feeds
from shared.memory import MemoryBucket, MemoryPublisher
from shared.messages import MinuteAbsent, MinuteLanded, MinuteRequested, landing_event
from shared.outcomes import Poison, Retryable
from shared.ports import Writer
from shared.virustotal.errors import KeyRefused, NotAvailableYet, NotLicensed, RequestRefused, SourceTrouble
from tests.doubles import NOON, Body, Clock, Source, feed_lines, package_of

MINUTE = NOON - timedelta(hours=2)
MANIFEST = "domains/2026/11/21/1000.json"


class House:
    """A downloader among doubles."""

    def __init__(
        self,
        source: Source | None = None,
        deadline: timedelta = timedelta(seconds=60),
        unpack: Unpack = decompress,
        bucket: MemoryBucket | None = None,
    ) -> None:
        self.bucket = bucket or MemoryBucket()
        self.publisher = MemoryPublisher()
        self.source = source or Source()
        self.clock = Clock()
        self.source.packages[MINUTE] = package_of(feed_lines(3))
        self.downloader = Downloader(
            source=self.source,
            bucket=self.bucket,
            publisher=self.publisher,
            unpack=unpack,
            feeds=[known_feeds()["domains"]],
            now=self.clock,
            deadline=deadline,
        )

    def ask(self, minute: datetime = MINUTE, feed: str = "domains", *, force: bool = False) -> None:
        """Deliver a request."""
        self.downloader.handle(MinuteRequested(feed=feed, minute=minute, force=force))

    def events(self) -> list[MinuteLanded | MinuteAbsent]:
        """Return what was published."""
        return [landing_event.validate_json(message.body) for message in self.publisher.published["minutes-landed"]]

    def manifest(self) -> MinuteLanded:
        """Return the committed manifest."""
        return MinuteLanded.model_validate_json(self.bucket.objects[MANIFEST].data)


@pytest.fixture
def house() -> House:
    """Return a downloader among doubles."""
    return House()


def test_a_minute_lands_once_and_is_announced(house: House) -> None:
    """The manifest commits the data object, and the event says what the manifest says."""
    house.ask()
    assert house.events() == [house.manifest()]
    assert sorted(house.bucket.objects) == sorted([MANIFEST, house.manifest().uri.removeprefix("gs://landing/")])


def test_a_redelivery_fetches_nothing(house: House) -> None:
    """A second delivery publishes the manifest again and leaves the source alone."""
    house.ask()
    house.ask()
    assert house.source.opened == 1
    assert house.events() == [house.manifest()] * 2


def test_a_crash_before_the_manifest_leaves_the_minute_unlanded(house: House) -> None:
    """Data without a manifest does not count: the next delivery lands the minute anew."""
    with house.bucket.writing("domains/2026/11/21/1000-orphan.ndjson.gz", "application/gzip") as writer:
        writer.write(b"half")
    house.ask()
    assert house.manifest().lines == 3


def test_a_crash_between_manifest_and_message_is_healed(house: House) -> None:
    """When publishing fails after the commit, the message comes again and only the event is repeated."""
    house.publisher.fail_with = Retryable("no Pub/Sub")
    with pytest.raises(Retryable):
        house.ask()
    house.publisher.fail_with = None
    house.ask()
    assert house.source.opened == 1
    assert house.events() == [house.manifest()]


@pytest.mark.parametrize("package", [package_of(feed_lines(3))[:-9], b"<html>", b"", package_of([b"bad"] * 30)])
def test_a_package_that_is_not_whole_never_lands(house: House, package: bytes) -> None:
    """A cut, foreign, empty or mostly bad body raises and leaves nothing behind; the next try may succeed."""
    house.source.packages[MINUTE] = package
    with pytest.raises((CorruptPackageError, ChangedShapeError)):
        house.ask()
    assert not house.bucket.objects
    assert not house.publisher.published
    house.source.packages[MINUTE] = package_of(feed_lines(3))
    house.ask()
    assert house.manifest().lines == 3


def test_a_minute_that_is_not_out_yet_changes_nothing(house: House) -> None:
    """NotAvailableYet is acked: a nack would slow down every other minute."""
    house.source.packages[MINUTE] = NotAvailableYet("later")
    house.ask()
    assert not house.bucket.objects
    assert not house.publisher.published


@pytest.mark.parametrize(("age_hours", "absent"), [(1.5, False), (7, False), (7.1, True), (100, True)])
def test_a_404_is_the_last_word_only_after_a_while(house: House, age_hours: float, absent: bool) -> None:
    """A missing package younger than availability + 6 h changes nothing; an older one is announced as absent."""
    minute = NOON - timedelta(hours=age_hours)
    house.ask(minute)
    expected = [MinuteAbsent(feed="domains", minute=minute, checked_at=NOON)] if absent else []
    assert house.events() == expected


@pytest.mark.parametrize("trouble", [SourceTrouble("503"), SourceTrouble("429", 300), KeyRefused("401")])
def test_trouble_at_the_source_is_nacked(house: House, trouble: Exception) -> None:
    """429, 5xx, 401 and the network come again: slowing everything down is right."""
    house.source.packages[MINUTE] = trouble
    with pytest.raises(Retryable):
        house.ask()


@pytest.mark.parametrize("refusal", [NotLicensed("403"), RequestRefused("400 BadRequestError")])
def test_a_refused_request_is_poison(house: House, refusal: Exception) -> None:
    """No licence and a wrong request cannot heal by trying."""
    house.source.packages[MINUTE] = refusal
    with pytest.raises(Poison, match=str(refusal)):
        house.ask()


@pytest.mark.parametrize(
    ("minute", "feed", "reason"),
    [
        (NOON + timedelta(minutes=1), "domains", "lies in the future"),
        (NOON - timedelta(days=7, minutes=1), "domains", "older than the 7 days .* never landed"),
        (MINUTE, "domain", "feed 'domain' is not switched on here; FEEDS has: domains"),
        (MINUTE, "urls", "feed 'urls' is not switched on"),
    ],
)
def test_a_request_that_can_never_succeed_is_poison(house: House, minute: datetime, feed: str, reason: str) -> None:
    """The reason names the value and what is allowed, and the source is not asked."""
    with pytest.raises(Poison, match=reason):
        house.ask(minute, feed)
    assert house.source.opened == 0


def test_an_old_minute_with_a_manifest_is_announced_again(house: House) -> None:
    """Past the source's seven days a replay works from the bucket."""
    house.ask()
    house.clock.advance(days=30)
    house.ask()
    assert house.events() == [house.manifest()] * 2


class SourceOfTwo(Source):
    """Serves a package only when two downloads are asking for one."""

    def __init__(self) -> None:
        super().__init__()
        self._both = Barrier(2, timeout=10)

    @contextmanager
    def package(self, feed_path: str, minute: datetime) -> Iterator[Body]:
        """Wait for the other download."""
        self._both.wait()
        with super().package(feed_path, minute) as package:
            yield package


def test_of_two_downloads_at_once_one_commits() -> None:
    """Two threads fetch the same minute: one manifest, one data object, and both announce the winner."""
    house = House(SourceOfTwo())
    threads = [Thread(target=house.ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert house.events() == [house.manifest()] * 2
    assert sorted(house.bucket.objects) == sorted([MANIFEST, house.manifest().uri.removeprefix("gs://landing/")])


def test_several_minutes_at_once_do_not_mix() -> None:
    """A worker's threads land a minute each, every one with its own lines, through the same decoding threads."""
    house = House(unpack=Unpacker(2))
    minutes = {MINUTE + timedelta(minutes=number): feed_lines(5 + number, minute=number) for number in range(8)}
    house.source.packages |= {minute: package_of(lines) for minute, lines in minutes.items()}
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(house.ask, minutes))
    landed = {event.minute: event for event in house.events() if isinstance(event, MinuteLanded)}
    assert {minute: event.lines for minute, event in landed.items()} == {m: len(lines) for m, lines in minutes.items()}
    for minute, lines in minutes.items():
        stored = house.bucket.objects[landed[minute].uri.removeprefix("gs://landing/")].data
        rows = gzip.decompress(stored).splitlines()
        assert [row.partition(b',"object":')[2] for row in rows] == [line + b"}" for line in lines]


def test_the_loser_of_a_race_takes_its_rejects_with_it() -> None:
    """Neither data nor rejects of the second download stay."""
    house = House(SourceOfTwo())
    house.source.packages[MINUTE] = package_of([*feed_lines(3), b"bad"])
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda _: house.ask(), range(2)))
    rejects = house.manifest().rejects_uri
    assert rejects
    named = {MANIFEST, *(uri.removeprefix("gs://landing/") for uri in (house.manifest().uri, rejects))}
    assert set(house.bucket.objects) == named


def test_force_with_the_same_content_announces_what_landed(house: House) -> None:
    """The second fetch is thrown away and the first landing announced again."""
    house.ask()
    before = dict(house.bucket.objects)
    house.ask(force=True)
    assert house.source.opened == 2
    assert house.bucket.objects == before
    assert house.events() == [house.manifest()] * 2


def test_force_with_other_content_is_kept_beside_and_dead_lettered(house: House) -> None:
    """The landing stays, the new content is kept, and the reason says where both are."""
    house.ask()
    before = house.manifest()
    house.source.packages[MINUTE] = package_of(feed_lines(4))
    with pytest.raises(Poison, match="source changed") as caught:
        house.ask(force=True)
    assert house.manifest() == before
    assert house.events() == [before]
    beside = [name for name in house.bucket.objects if house.bucket.uri(name) not in (before.uri,) and name != MANIFEST]
    assert len(beside) == 1
    assert house.bucket.uri(beside[0]) in caught.value.reason


@pytest.mark.parametrize("failure", [b"<html>", NotAvailableYet("x"), None, SourceTrouble("503"), NotLicensed("403")])
def test_force_that_fails_changes_nothing(house: House, failure: bytes | Exception | None) -> None:
    """Whatever goes wrong, the landing, its objects and its announcements stay as they are."""
    house.ask()
    before, events = dict(house.bucket.objects), house.events()
    house.clock.advance(hours=20)
    if failure is None:
        del house.source.packages[MINUTE]
    else:
        house.source.packages[MINUTE] = failure
    with suppress(Retryable, Poison):
        house.ask(force=True)
    assert house.bucket.objects == before
    assert house.events() == events


def test_force_without_a_landing_is_an_ordinary_download(house: House) -> None:
    """Nothing has landed, so there is nothing to compare with."""
    house.ask(force=True)
    assert house.events() == [house.manifest()]


class BucketWithoutRejects(MemoryBucket):
    """A bucket that cannot begin an object of rejects."""

    @contextmanager
    def writing(self, name: str, content_type: str) -> Iterator[Writer]:
        """Stream a new object, unless it is for rejects."""
        if ".rejects." in name:
            raise Retryable("the bucket is gone")
        with super().writing(name, content_type) as writer:
            yield writer


def test_a_landing_that_fails_ends_the_decoder() -> None:
    """It has ended when the failure comes out, and not when its traceback is forgotten: it may be a process."""
    left = []

    def unpack(chunks: Iterable[bytes]) -> Generator[bytes, None, None]:
        del chunks
        try:
            yield from (b"bad\n", b"and more\n")
        finally:
            left.append("the decoder")

    with pytest.raises(Retryable, match="the bucket is gone") as failure:
        House(unpack=unpack, bucket=BucketWithoutRejects()).ask()
    assert left, failure


def test_a_download_that_takes_too_long_stops_before_the_ack_deadline() -> None:
    """Past its own deadline the download raises and lands nothing."""
    house = House(deadline=timedelta(seconds=-1))
    with pytest.raises(Retryable, match="took longer"):
        house.ask()
    assert not house.bucket.objects
