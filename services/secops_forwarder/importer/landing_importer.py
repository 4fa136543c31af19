"""Deliver the landings of feeds: the first time by their own message, later by that of a page."""

import logging
from collections.abc import Iterable
from datetime import datetime

from services.secops_forwarder.importer.delivering import Deliveries
from services.secops_forwarder.importer.landing_items import LandingItems
from services.secops_forwarder.importer.switched_off import leave_landing_to_the_poll
from shared.contracts.interfaces import Bucket
from shared.contracts.messages import MinuteAbsent, MinuteLanded
from shared.contracts.minutes import format_minute
from shared.contracts.outcomes import Poison
from shared.feeds.switched_on import not_switched_on
from shared.streams.forwarded import ForwardedFeed
from shared.streams.landing_log import landing_delivery_name, read_landing

log = logging.getLogger(__name__)


class LandingImporter:
    """Delivers the landings of the feeds that are switched on; thread-safe."""

    def __init__(self, *, bucket: Bucket, deliveries: Deliveries, feeds: Iterable[ForwardedFeed]) -> None:
        self._bucket = bucket
        self._deliveries = deliveries
        self.feeds = {feed.name: feed for feed in feeds}

    def handle(self, event: MinuteLanded | MinuteAbsent) -> None:
        """Deliver what is left of a landing; ignore an absence, and the landing of any other feed.

        The subscription's filter keeps other feeds away, but the official emulator of Pub/Sub does not apply it. What
        lands while a feed is switched off is announced by the poll once it is on again. A landing that was given up is
        not: it raises Poison.
        """
        if isinstance(event, MinuteAbsent) or event.feed not in self.feeds:
            leave_landing_to_the_poll(self._bucket, event, self.off(event.feed))
            log.info("secops.not_forwarded: %s of %s", event.event, event.feed)
            return
        self.deliver(self.feeds[event.feed], event.minute, event.uri)

    def off(self, feed: str) -> str:
        """Return the reason of a dead letter about a feed that is off."""
        return not_switched_on("feed", feed, self.feeds, "SECOPS_FEEDS")

    def deliver(self, feed: ForwardedFeed, hour: datetime, uri: str) -> None:
        """Deliver what is left of the lines at an address; raise Poison or Retryable otherwise.

        Only what the hour's manifest names has landed. Lines of an earlier landing are left alone: the message of the
        present one delivers it.
        """
        landed = read_landing(self._bucket, feed.name, hour)
        if landed is None:
            raise Poison(
                "object_missing",
                f"{feed.name} {format_minute(hour)} has no manifest in bucket {self._bucket.name!r}; it may have been "
                "deleted by the bucket's lifecycle",
            )
        if landed.uri != uri:
            log.info("secops.superseded: %s has taken the place of %s", landed.uri, uri)
            return
        items = LandingItems(self._bucket, landed)
        delivery = landing_delivery_name(self._bucket, uri)
        self._deliveries.deliver(feed, items, uri, delivery, landed.object_crc32c)
