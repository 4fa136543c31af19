"""Deliver one page of a stream's log."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime

from services.secops_forwarder.importer.delivering import Deliveries
from services.secops_forwarder.importer.items import PageItems
from services.secops_forwarder.importer.landing_importer import LandingImporter
from services.secops_forwarder.importer.switched_off import leave_to_the_poll
from shared.contracts.interfaces import Bucket
from shared.contracts.messages import IocPageLanded
from shared.contracts.outcomes import Poison
from shared.contracts.stored_objects import crc32c_of
from shared.feeds.switched_on import not_switched_on
from shared.streams.definition import Stream
from shared.streams.delivery_progress import delivery_name
from shared.streams.forwarded import FORWARDED_FEEDS, Forwarded, ForwardedFeed
from shared.streams.landing_log import is_landing, landed_hour
from shared.streams.page_log import NotAPage, Page, read_page


class Importer:
    """Delivers pages, and landings by their own importer; thread-safe."""

    def __init__(
        self,
        *,
        bucket: Bucket,
        deliveries: Deliveries,
        streams: Iterable[Stream],
        feeds: Iterable[ForwardedFeed] = (),
        now: Callable[[], datetime],
    ) -> None:
        self._bucket = bucket
        self._deliveries = deliveries
        self._now = now
        self._streams = {stream.name: stream for stream in streams}
        self.landings = LandingImporter(bucket=bucket, deliveries=deliveries, feeds=feeds)

    def handle(self, message: IocPageLanded) -> None:
        """Deliver what is left of a page, or of the landing of a feed; raise Poison or Retryable otherwise."""
        feed = self.landings.feeds.get(message.stream)
        if feed and is_landing(self._bucket, message):
            self.landings.deliver(feed, landed_hour(self._bucket, message), message.uri)
        elif forwarded := feed or self._streams.get(message.stream):
            self._deliver(forwarded, message)
        else:
            leave_to_the_poll(self._bucket, message, self._off(message.stream), self._now())

    def _off(self, name: str) -> str:
        return self.landings.off(name) if name in FORWARDED_FEEDS else not_switched_on("stream", name, self._streams)

    def _deliver(self, forwarded: Forwarded, message: IocPageLanded) -> None:
        name = self._name(message)
        page, crc32c = self._page(name, message)
        self._deliveries.deliver(forwarded, PageItems(page), message.uri, delivery_name(name), crc32c)

    def _name(self, message: IocPageLanded) -> str:
        """Return the name of a page's object; raise Poison for any other address."""
        folder = re.escape(self._bucket.uri(f"streams/{message.stream}/"))
        if not re.fullmatch(rf"{folder}(pages|oversize)/[0-9-]+\.json", message.uri, re.ASCII):
            raise Poison(
                "invalid_message", f"{message.uri} is not a page of {message.stream!r} in bucket {self._bucket.name!r}"
            )
        return self._bucket.name_of(message.uri)

    def _page(self, name: str, message: IocPageLanded) -> tuple[Page, str]:
        """Return a page and its checksum, by which the audit detects changes; raise Poison for an invalid one."""
        stored = self._bucket.read(name)
        if stored is None:
            raise Poison(
                "object_missing", f"{message.uri} does not exist; it may have been deleted by the bucket's lifecycle"
            )
        try:
            page = read_page(stored.data, message.uri)
        except NotAPage as error:
            raise Poison("invalid_page", str(error)) from None
        if page.head.stream != message.stream:
            raise Poison(
                "invalid_message", f"{message.uri} is a page of stream {page.head.stream!r}, not of {message.stream!r}"
            )
        return page, crc32c_of(stored.data)
