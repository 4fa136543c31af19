"""Decide what happens to a requested minute, in the order save, publish, ack.

Landed = the manifest exists. It is created with if_generation_match=0, so of two downloads of one minute exactly one
commits; the other throws its own objects away and publishes the winner's manifest.
"""

import logging
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, closing
from datetime import datetime, timedelta
from typing import Protocol

from services.downloader.landing import land
from services.downloader.spool import Package, taken_off_the_wire
from shared.feeds.definition import Feed
from shared.manifests import read_manifest
from shared.messages import MINUTES_LANDED, MinuteAbsent, MinuteLanded, MinuteRequested
from shared.minutes import AVAILABILITY, HORIZON, format_minute, manifest_name
from shared.outcomes import Poison, Retryable
from shared.ports import Bucket, Outgoing, Publisher
from shared.virustotal.errors import NotAvailableYet, NotLicensed, PackageMissing, RequestRefused

# A 404 may still turn into a package for a while; after this it is taken for the source's last word.
ABSENT_AFTER = AVAILABILITY + timedelta(hours=6)

Unpack = Callable[[Iterable[bytes]], Generator[bytes, None, None]]

log = logging.getLogger(__name__)


class Source(Protocol):
    """Where packages come from."""

    def package(self, feed_path: str, minute: datetime) -> AbstractContextManager[Package]:
        """Open a minute's package."""


class Downloader:
    """Lands requested minutes; safe for several threads."""

    def __init__(
        self,
        *,
        source: Source,
        bucket: Bucket,
        publisher: Publisher,
        unpack: Unpack,
        feeds: Iterable[Feed],
        now: Callable[[], datetime],
        deadline: timedelta,
    ) -> None:
        self._source = source
        self._bucket = bucket
        self._publisher = publisher
        self._unpack = unpack
        self._feeds = {feed.name: feed for feed in feeds}
        self._now = now
        self._deadline = deadline

    def handle(self, request: MinuteRequested) -> None:
        """Land the minute, or say why there is nothing to land; raise Poison or Retryable as the outcomes demand."""
        feed = self._feed(request.feed)
        landed = read_manifest(self._bucket, request.feed, request.minute)
        if landed and not request.force:
            log.info("downloader.landed_before: %s", landed.uri)
            self._publish(landed)
            return
        self._check_age(request, landed)
        try:
            fetched = self._fetch(feed, request.minute)
        except NotAvailableYet:
            log.info("downloader.not_available_yet: the sweep asks again")
        except PackageMissing:
            self._missing(request, landed)
        except (NotLicensed, RequestRefused) as error:
            raise Poison(str(error)) from None
        else:
            self._commit(fetched, landed)

    def _feed(self, name: str) -> Feed:
        if name not in self._feeds:
            on = ", ".join(self._feeds) or "none"
            raise Poison(f"feed {name!r} is not switched on here; FEEDS has: {on}")
        return self._feeds[name]

    def _check_age(self, request: MinuteRequested, landed: MinuteLanded | None) -> None:
        age = self._now() - request.minute
        written = format_minute(request.minute)
        if age < timedelta(0):
            raise Poison(f"minute {written} lies in the future")
        if age > HORIZON:
            kept = "its landing stays as it is" if landed else "and it has never landed"
            raise Poison(f"minute {written} is older than the {HORIZON.days} days that the source keeps, {kept}")

    def _fetch(self, feed: Feed, minute: datetime) -> MinuteLanded:
        with (
            self._source.package(feed.path, minute) as package,
            taken_off_the_wire(package, self._deadline) as chunks,
            # A landing that fails leaves the decoder in the middle; its process would live until a garbage collection.
            closing(self._unpack(chunks)) as pieces,
        ):
            return land(self._bucket, feed.name, minute, pieces)

    def _missing(self, request: MinuteRequested, landed: MinuteLanded | None) -> None:
        now = self._now()
        if landed or now - request.minute <= ABSENT_AFTER:
            log.info("downloader.missing_at_source: nothing changes, the sweep asks again")
            return
        log.warning("downloader.absent: the source has no package for this minute")
        absent = MinuteAbsent(feed=request.feed, minute=request.minute, checked_at=now)
        self._publisher.publish(MINUTES_LANDED, [Outgoing(absent.body(), absent.attributes())])

    def _commit(self, fetched: MinuteLanded, landed: MinuteLanded | None) -> None:
        if landed is None and self._create_manifest(fetched):
            log.info("downloader.landed: %d lines, %d rejected", fetched.lines, fetched.rejected)
            self._publish(fetched)
            return
        winner = landed or self._winner(fetched)
        if landed and winner.crc32c != fetched.crc32c:
            raise Poison(f"source changed: {winner.uri} has landed, the source now gives {fetched.uri}, kept beside it")
        self._throw_away(fetched)
        self._publish(winner)

    def _create_manifest(self, fetched: MinuteLanded) -> bool:
        return self._bucket.create(manifest_name(fetched.feed, fetched.minute), fetched.body())

    def _winner(self, fetched: MinuteLanded) -> MinuteLanded:
        winner = read_manifest(self._bucket, fetched.feed, fetched.minute)
        if winner is None:
            raise Retryable("the manifest of another download was there and is gone")
        return winner

    def _throw_away(self, fetched: MinuteLanded) -> None:
        for uri in filter(None, (fetched.uri, fetched.rejects_uri)):
            self._bucket.delete(uri.removeprefix(self._bucket.uri("")))

    def _publish(self, landed: MinuteLanded) -> None:
        self._publisher.publish(MINUTES_LANDED, [Outgoing(landed.body(), landed.attributes())])
