"""Process a requested minute, in the order save, publish, ack.

Landed = the manifest exists. It is created with if_generation_match=0, so of two downloads of one minute exactly one
commits; the other deletes its own objects and publishes the winner's manifest.
"""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import datetime, timedelta
from typing import Protocol

from services.downloader.landing import land
from services.downloader.spool import PackageSource, Spools
from services.downloader.stream_hours import StreamHours
from shared.contracts.interfaces import Bucket, Publisher
from shared.contracts.manifests import read_manifest
from shared.contracts.messages import MinuteAbsent, MinuteLanded, MinuteRequested
from shared.contracts.minutes import HORIZON, format_minute, manifest_name, replay_command
from shared.contracts.outcomes import Misconfigured, Poison, Retryable
from shared.feeds.definition import Feed
from shared.feeds.switched_on import is_feed_on
from shared.operations.feed_conditions import FeedConditions
from shared.virustotal.errors import NotAvailableYet, NotLicensed, PackageMissing, RequestRefused

# After a 404 the package may still appear; this long after its availability the minute counts as absent.
ABSENT_AFTER = timedelta(hours=6)

Unpack = Callable[[Iterable[bytes]], Generator[bytes, None, None]]

log = logging.getLogger(__name__)


class Source(Protocol):
    """The source of packages."""

    def package(self, feed_path: str, minute: datetime) -> AbstractContextManager[PackageSource]:
        """Open a minute's package."""


class Lists(Protocol):
    """The source of hours of threat lists."""

    def lines(self, hour: datetime) -> Iterator[bytes]:
        """Yield the lines of an hour."""


class Downloader:
    """Lands requested minutes; thread-safe."""

    def __init__(
        self,
        *,
        source: Source,
        lists: Lists,
        bucket: Bucket,
        publisher: Publisher,
        spools: Spools,
        unpack: Unpack,
        feeds: Iterable[Feed],
        now: Callable[[], datetime],
        deadline: timedelta,
    ) -> None:
        self._source = source
        self._lists = lists
        self._stream_hours = StreamHours(bucket, deadline=deadline, now=now)
        self._bucket = bucket
        self._publisher = publisher
        self._spools = spools
        self._unpack = unpack
        self._feeds = {feed.name: feed for feed in feeds}
        self._now = now
        self._conditions = FeedConditions(bucket)
        self._deadline = deadline

    def handle(self, request: MinuteRequested) -> None:
        """Land the minute or publish its absence; raise Poison or Retryable otherwise."""
        if not is_feed_on(request.feed, self._feeds):
            log.info("downloader.feed_off: %s is not switched on here, the sweep asks again", request.feed)
            return
        landed = read_manifest(self._bucket, request.feed, request.minute)
        if landed and not request.force:
            log.info("downloader.landed_before: %s", landed.uri)
            self._publisher.publish(landed)
            return
        self._check_age(request, landed)
        try:
            fetched = self._fetch(self._feeds[request.feed], request.minute)
        except NotAvailableYet:
            log.info("downloader.not_available_yet: the sweep asks again")
        except PackageMissing:
            self._missing(request, landed)
        except NotLicensed as error:
            self._not_licensed(request.feed, error)
        except RequestRefused as error:
            raise Poison("request_refused", str(error)) from None
        else:
            self._conditions.clear(request.feed)
            self._commit(fetched, landed)

    def _check_age(self, request: MinuteRequested, landed: MinuteLanded | None) -> None:
        self._refuse_inside(request)
        written = format_minute(request.minute)
        if request.minute > self._now():
            raise Poison("minute_in_future", f"minute {written} is in the future")
        if not self._feeds[request.feed].every().still_has(request.minute, self._now()):
            kept = "its landing stays as it is" if landed else "and it has never landed"
            raise Poison(
                "minute_expired",
                f"minute {written} is older than the {HORIZON.days} days that the source keeps, {kept}",
            )

    def _refuse_inside(self, request: MinuteRequested) -> None:
        period = self._feeds[request.feed].every()
        if request.minute != (begins := period.floor(request.minute)):
            raise Poison(
                "invalid_message",
                f"{format_minute(request.minute)} is inside an {period.name}, and {request.feed} has a package an "
                f"{period.name}; ask for {format_minute(begins)}",
            )

    def _fetch(self, feed: Feed, minute: datetime) -> MinuteLanded:
        try:
            with self._pieces(feed, minute) as pieces:
                return land(self._bucket, feed.name, minute, pieces, feed.identity, now=self._now)
        except (Retryable, Misconfigured) as error:
            self._conditions.keep(feed.name, error, self._now())
            raise

    @contextmanager
    def _pieces(self, feed: Feed, minute: datetime) -> Iterator[Iterable[bytes]]:
        """Open the decompressed package of a feed, in pieces."""
        if feed.source == "threat_lists":
            yield self._lists.lines(minute)
            return
        if feed.source == "streams":
            yield self._stream_hours.lines(feed, minute)
            return
        with (
            self._source.package(feed.path, minute) as package,
            self._spools.taken_off_the_wire(package, self._deadline) as chunks,
            # A failed landing leaves the decoder suspended; its process would live until garbage collection.
            closing(self._unpack(chunks)) as pieces,
        ):
            yield pieces

    def _missing(self, request: MinuteRequested, landed: MinuteLanded | None) -> None:
        now = self._now()
        if landed or now - request.minute <= self._feeds[request.feed].every().availability + ABSENT_AFTER:
            log.info("downloader.missing_at_source: nothing changes, the sweep asks again")
            return
        log.warning("downloader.absent: the source has no package for this minute")
        self._publisher.publish(MinuteAbsent(feed=request.feed, minute=request.minute, checked_at=now))

    def _not_licensed(self, feed: str, error: NotLicensed) -> None:
        # A condition of the feed: otherwise a day would make 1,440 equal dead letters.
        log.error("downloader.not_licensed: %s", error, extra={"fields": {"error_type": error.error_type}})
        self._conditions.report(feed, error, self._now())

    def _commit(self, fetched: MinuteLanded, landed: MinuteLanded | None) -> None:
        if landed is None and self._create_manifest(fetched):
            log.info("downloader.landed: %d lines, %d rejected", fetched.lines, fetched.rejected)
            self._publisher.publish(fetched)
            return
        winner = landed or self._winner(fetched)
        # An indicator's attributes are those of the download, so a second one of a list always differs.
        comparable = self._feeds[fetched.feed].source != "threat_lists"
        if landed and comparable and winner.crc32c != fetched.crc32c:
            raise Poison(
                "source_changed",
                f"source changed: {winner.uri} has landed, the source now gives {fetched.uri}, which is kept as well; "
                "to have its rows in place of the old ones: "
                f"{replay_command(fetched.feed, fetched.minute, fetched.minute, '--replace', '--force')}",
            )
        self._throw_away(fetched)
        self._publisher.publish(winner)

    def _create_manifest(self, fetched: MinuteLanded) -> bool:
        return self._bucket.create(manifest_name(fetched.feed, fetched.minute), fetched.body)

    def _winner(self, fetched: MinuteLanded) -> MinuteLanded:
        winner = read_manifest(self._bucket, fetched.feed, fetched.minute)
        if winner is None:
            raise Retryable("the manifest of another download existed and is gone")
        return winner

    def _throw_away(self, fetched: MinuteLanded) -> None:
        for uri in filter(None, (fetched.uri, fetched.rejects_uri)):
            self._bucket.delete(self._bucket.name_of(uri))
