"""Deliver one page: cut what is left of it into requests, and record each one before the next is posted.

What stays ambiguous is one request: accepted, and its answer lost or this process killed before it was recorded. It is
posted again, with the same bytes. So delivery is at least once, and never twice by our own doing.
"""

import logging
import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Protocol

from shared.dead_letters import REASON, clip
from shared.messages import IOC_PAGES, IocPageLanded, dead_letter_topic
from shared.outcomes import Poison
from shared.ports import Bucket, Outgoing, Publisher
from shared.secops.chunks import Chunk, Limits, Oversize, cut
from shared.secops.delivery import Lease, delivery_name
from shared.secops.errors import ImportRefused
from shared.secops.pages import NotAPage, Page, landed_message, read_page, write_page
from shared.secops.request import Form
from shared.streams import Stream

log = logging.getLogger(__name__)


class Imports(Protocol):
    """Where requests go."""

    def import_logs(self, log_type: str, body: bytes) -> None:
        """Post one request; return once it is accepted."""


class Importer:
    """Delivers pages; safe for several threads."""

    def __init__(
        self,
        *,
        secops: Imports,
        bucket: Bucket,
        publisher: Publisher,
        streams: Iterable[Stream],
        form: Form,
        limits: Limits,
        now: Callable[[], datetime],
    ) -> None:
        self._secops = secops
        self._bucket = bucket
        self._publisher = publisher
        self._streams = {stream.name: stream for stream in streams}
        self._form = form
        self._limits = limits
        self._now = now

    def handle(self, message: IocPageLanded) -> None:
        """Deliver what is left of a page; raise Poison or Retryable as the outcomes demand."""
        stream = self._stream(message.stream)
        name = self._name(message)
        page = self._page(name, message)
        with Lease(self._bucket, delivery_name(name), len(page.items), self._now) as lease:
            if lease.delivery.finished:
                log.info("secops.delivered_before: %s", message.uri)
                return
            self._deliver(stream, page, lease)
            log.info("secops.delivered: %s in %d requests", message.uri, lease.delivery.requests)

    def _stream(self, name: str) -> Stream:
        if name not in self._streams:
            raise Poison(f"stream {name!r} is not switched on here; STREAMS has: {', '.join(self._streams) or 'none'}")
        return self._streams[name]

    def _name(self, message: IocPageLanded) -> str:
        """Return the name of a page's object; an address that names anything else leads nowhere."""
        folder = re.escape(self._bucket.uri(f"streams/{message.stream}/"))
        if not re.fullmatch(rf"{folder}(pages|oversize)/[0-9-]+\.json", message.uri, re.ASCII):
            raise Poison(f"{message.uri} is no page of {message.stream!r} in bucket {self._bucket.name!r}")
        return message.uri.removeprefix(self._bucket.uri(""))

    def _page(self, name: str, message: IocPageLanded) -> Page:
        stored = self._bucket.read(name)
        if stored is None:
            raise Poison(f"{message.uri} is not there; it may have been deleted by the bucket's lifecycle")
        try:
            page = read_page(stored.data, message.uri)
        except NotAPage as error:
            raise Poison(str(error)) from None
        if page.head.stream != message.stream:
            raise Poison(f"{message.uri} is a page of stream {page.head.stream!r}, not of {message.stream!r}")
        return page

    def _deliver(self, stream: Stream, page: Page, lease: Lease) -> None:
        first = lease.delivery.done
        entries = (
            self._form.entry(page.item(position), page.items[position], stream, page.head)
            for position in range(first, len(page.items))
        )
        try:
            for piece in cut(entries, self._limits, self._form.size, first):
                if isinstance(piece, Chunk):
                    self._post(stream.log_type, piece, lease)
                else:
                    self._set_aside(stream, page, piece, lease)
        except NotAPage as error:
            lease.keep(reason=str(error))
            raise Poison(str(error)) from None
        if not lease.delivery.finished:
            lease.keep(done=len(page.items))

    def _post(self, log_type: str, chunk: Chunk, lease: Lease) -> None:
        before = lease.delivery
        try:
            self._secops.import_logs(log_type, self._form.body(list(chunk.entries)))
        except ImportRefused as error:
            lease.keep(reason=str(error))
            raise Poison(f"{error}; {before.items - before.done} of {before.items} items are left") from None
        lease.keep(done=chunk.after, accepted=before.accepted + len(chunk.entries), requests=before.requests + 1)

    def _set_aside(self, stream: Stream, page: Page, oversize: Oversize, lease: Lease) -> None:
        """Give up one item that fits into no request, as a page of its own; the rest of the page goes on."""
        position = oversize.position
        if position in lease.delivery.oversize:
            return
        reason = (
            f"item {stream.key_of(page.item(position))} needs a request of {oversize.bytes} bytes, "
            f"above the limit of {self._limits.bytes} (SECOPS_MAX_REQUEST_BYTES)"
        )
        if len(page.items) == 1:
            lease.keep(reason=reason)
            raise Poison(reason)
        self._bury(stream, page, position, reason)
        lease.keep(oversize=(*lease.delivery.oversize, position))
        log.error("secops.oversize: %s", reason)

    def _bury(self, stream: Stream, page: Page, position: int, reason: str) -> None:
        date = stream.date_of(page.item(position))
        head = page.head.model_copy(update={"first_date": date, "last_date": date, "seen": {}})
        name = f"streams/{stream.name}/oversize/{head.sequence:010d}-{position:04d}.json"
        # False: a delivery that ended before it recorded this has left the same object.
        self._bucket.create(name, write_page(head, [page.items[position]]))
        message = landed_message(head, 1, self._bucket.uri(name))
        dead = Outgoing(message.body(), {**message.attributes(), REASON: clip(reason)})
        self._publisher.publish(dead_letter_topic(IOC_PAGES), [dead])
