"""Send the items that are left: request by request, each recorded before the next is posted.

A refused request is halved until the refused log is isolated; that log is set aside as a separate page with a dead
letter, and all others are accepted. One refused log among n costs about 2 log2(n) requests. The halves depend only on
the items, so a redelivery sends the same requests.
"""

import logging
from collections.abc import Callable, Iterator
from typing import Protocol

from services.secops_forwarder.importer.chunks import Chunk, Entry, Item, Limits, Oversize, Unreadable, cut
from services.secops_forwarder.importer.errors import ImportRefused
from services.secops_forwarder.importer.items import Items
from services.secops_forwarder.importer.request import Form
from services.secops_forwarder.importer.smaller_limits import SmallerLimits
from shared.contracts.outcomes import DeadLetterType, Poison, Retryable
from shared.runtime.json_bytes import not_json, read_object
from shared.streams.delivery_progress import Lease
from shared.streams.forwarded import Forwarded

log = logging.getLogger(__name__)

SetAside = Callable[[Item, Poison], None]
"""Stores an item as a separate page, with a dead letter."""


class Imports(Protocol):
    """The destination of requests."""

    def import_logs(self, log_type: str, body: bytes) -> None:
        """Post one request; return once it is accepted."""


class TimeSpent(Retryable):
    """The delivery has taken its time; the next one continues with the rest."""


class Sending:
    """One delivery; it posts nothing more and sets nothing more aside once it is late."""

    def __init__(
        self,
        *,
        secops: Imports,
        forwarded: Forwarded,
        items: Items,
        lease: Lease,
        form: Form,
        limits: Limits,
        smaller: SmallerLimits,
        late: Callable[[], bool],
        set_aside: SetAside,
    ) -> None:
        self._secops = secops
        self._forwarded = forwarded
        self._items = items
        self._lease = lease
        self._form = form
        self._limits = limits
        self._smaller = smaller
        self._late = late
        self._keep_aside = set_aside

    def send(self) -> None:
        """Send all that is left; raise the error that interrupts the delivery."""
        delivery = self._lease.delivery
        first = delivery.done if delivery.cut_at is None else min(delivery.cut_at, delivery.done)
        for piece in cut(self._entries(first), self._limits, self._form.size):
            self._require_time()
            match piece:
                case Chunk():
                    self._send_chunk(piece)
                case Oversize():
                    self._set_aside(piece.item, "oversize", self._too_large(piece))
                case Unreadable():
                    self._set_aside(piece.item, "invalid_page", piece.reason)
        if not self._lease.delivery.finished:
            self._lease.keep(done=self._items.count)

    def _entries(self, first: int) -> Iterator[Entry | Unreadable]:
        return (self._entry(Item(number, text)) for number, text in enumerate(self._items.since(first), first))

    def _entry(self, item: Item) -> Entry | Unreadable:
        try:
            content = read_object(item.text)
        except ValueError as error:
            return Unreadable(item, not_json(f"item {item.position} of {self._items.what}", error))
        try:
            return Entry(item, self._form.entry(content, item.text, self._forwarded, self._items.head))
        except ValueError as error:
            return Unreadable(item, f"{self._name(item)}: {error}")

    def _send_chunk(self, chunk: Chunk) -> None:
        for part in chunk.left_from(self._lease.delivery.done):
            self._send_part(part, chunk)

    def _send_part(self, part: Chunk, whole: Chunk) -> bool:
        """Send a part of a chunk, halving it if refused; return whether every log was accepted."""
        allowed = len(part.entries) == 1 or self._smaller.allow(self._needs(part))
        if allowed and self._post(part, whole):
            return True
        if len(part.entries) == 1:
            return False
        halves = part.halves()
        taken = [self._send_part(half, whole) for half in halves]
        if allowed and all(taken):
            self._smaller.refused(self._needs(part), map(self._needs, halves))
        return all(taken)

    def _post(self, part: Chunk, whole: Chunk) -> bool:
        """Post one request and record the outcome; return whether it was accepted."""
        self._require_time()
        try:
            self._secops.import_logs(self._forwarded.log_type, self._form.body([entry.data for entry in part.entries]))
        except ImportRefused as error:
            self._refused(part, whole, error)
            return False
        self._smaller.accepted(self._needs(part))
        self._record(part, whole, accepted=len(part.entries))
        return True

    def _require_time(self) -> None:
        if self._late():
            done, count = self._lease.delivery.done, self._items.count
            raise TimeSpent(f"{done} of {count} items of {self._items.what} are delivered; the rest follows")

    def _refused(self, part: Chunk, whole: Chunk, error: ImportRefused) -> None:
        if len(part.entries) > 1:
            # Several refusals in a row can take longer than one request's lease.
            self._lease.keep()
            return
        item = part.entries[0].item
        self._set_aside(item, error.error_type, f"{self._name(item)}: {error}")
        self._record(part, whole, accepted=0)

    def _needs(self, part: Chunk) -> Limits:
        size = self._form.size(sum(len(entry.data) for entry in part.entries), len(part.entries))
        return Limits(bytes=size, logs=len(part.entries))

    def _record(self, part: Chunk, whole: Chunk, *, accepted: int) -> None:
        before = self._lease.delivery
        self._lease.keep(
            done=part.after,
            accepted=before.accepted + accepted,
            requests=before.requests + bool(accepted),
            cut_at=None if part.after == whole.after else whole.first,
        )

    def _set_aside(self, item: Item, error_type: DeadLetterType, reason: str) -> None:
        """Give up one item and continue with the others."""
        before = self._lease.delivery.oversize
        if item.position in before:
            return
        poison = Poison(error_type, reason)
        if self._items.alone:
            raise poison
        self._keep_aside(item, poison)
        self._lease.keep(oversize=(*before, item.position))
        fields = {"fields": {"error_type": error_type}}
        if error_type == "oversize":
            log.error("secops.oversize: %s", reason, extra=fields)
        else:
            log.error("secops.set_aside: %s", reason, extra=fields)

    def _too_large(self, oversize: Oversize) -> str:
        return (
            f"{self._name(oversize.item)} needs a request of {oversize.bytes} bytes, "
            f"above the limit of {self._limits.bytes} (SECOPS_MAX_REQUEST_BYTES)"
        )

    def _name(self, item: Item) -> str:
        return f"item {self._forwarded.key_of(read_object(item.text))}"
