"""The progress of a delivery of a page or a landing: one object each, replaced only at the generation that was read.

It holds a lease, so that two deliveries of one message never post at once, and the number of finished items. A lease is
renewed with every record; after a crash it expires, and the next delivery continues after the last record.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import Retryable
from shared.contracts.stored_objects import read_stored

# One logs:import call, retries included, ends within this; a test holds it to the limits of the forwarder's client.
LONGEST_IMPORT_SECONDS = 320.0
# Longer than one request can take, so that a delivery never posts while another may still wait for a response.
LEASE = timedelta(seconds=LONGEST_IMPORT_SECONDS + 40)


class Delivery(BaseModel):
    """The state of a page's items: the first `done` are accepted or given up.

    items is 0 for a page that does not go to SecOps: there is nothing to deliver.
    oversize has the positions of single items that were given up: too large for any request, or refused. cut_at is the
    position of the request that is being halved, so that a redelivery halves it in the same places. reason is why the
    rest was given up; a later delivery of the page removes it. page_crc32c is the checksum of the page as the first
    delivery read it, by which the audit sees that it has changed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    items: int
    done: int = 0
    accepted: int = 0
    oversize: tuple[int, ...] = ()
    cut_at: int | None = None
    requests: int = 0
    reason: str | None = None
    page_crc32c: str | None = None
    holder: str = ""
    held_until: AwareDatetime | None = None

    @property
    def finished(self) -> bool:
        """Whether all items are done."""
        return self.done == self.items

    @property
    def dead(self) -> int:
        """The number of items given up."""
        return len(self.oversize) + (self.items - self.accepted - len(self.oversize) if self.reason else 0)

    def released(self) -> "Delivery":
        """Return this delivery without a holder."""
        return self.model_copy(update={"holder": "", "held_until": None})


class Lease:
    """The right to deliver a page, held while its `with` block runs; each change is stored before the next step."""

    def __init__(
        self, bucket: Bucket, name: str, items: int, now: Callable[[], datetime], page_crc32c: str | None = None
    ) -> None:
        self._bucket = bucket
        self._name = name
        self._now = now
        self._holder = uuid4().hex
        delivery, self._generation = _read(bucket, name)
        self.delivery = delivery or Delivery(items=items, page_crc32c=page_crc32c)

    def __enter__(self) -> "Lease":
        """Take the lease; raise Retryable if another delivery holds it."""
        until = self.delivery.held_until
        if until and until > self._now():
            raise Retryable(f"{self._bucket.uri(self._name)}: another delivery holds this page until {until}")
        if not self.delivery.finished:
            self.keep(reason=None)
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lease, so that the next delivery need not wait until it expires."""
        if self.delivery.held_until:
            # False: the lease has expired, and another delivery holds it.
            self._write(self.delivery.released())

    def keep(self, **changes: object) -> None:
        """Record changes and renew the lease; raise Retryable if another delivery has taken it."""
        held = {"holder": self._holder, "held_until": self._now() + LEASE}
        changed = self.delivery.model_copy(update={**changes, **held})
        if not self._write(changed.released() if changed.finished else changed):
            raise Retryable(f"{self._bucket.uri(self._name)}: another delivery has taken this page")

    def _write(self, delivery: Delivery) -> bool:
        content = delivery.model_dump_json().encode()
        if not self._bucket.replace(self._name, content, self._generation):
            return False
        stored = self._bucket.read(self._name)
        if stored is None or stored.data != content:
            return False
        self._generation, self.delivery = stored.generation, delivery
        return True


def deliver_nothing(bucket: Bucket, page: str) -> None:
    """Record that a page does not go to SecOps; an earlier record stays as it is."""
    bucket.create(delivery_name(page), Delivery(items=0).model_dump_json().encode())


def find_delivery(bucket: Bucket, page: str) -> Delivery | None:
    """Return a page's delivery, or None if it has not begun; raise Misconfigured for an invalid object."""
    return read_delivery(bucket, delivery_name(page))


def read_delivery(bucket: Bucket, name: str) -> Delivery | None:
    """Return the delivery with a name, or None if it has not begun; raise Misconfigured for an invalid object."""
    return _read(bucket, name)[0]


def _read(bucket: Bucket, name: str) -> tuple[Delivery | None, int]:
    return read_stored(bucket, name, Delivery, remedy="delete it to send the page again")


def delivery_name(page: str) -> str:
    """Return the name of the object that holds a page's delivery."""
    return f"{page.removesuffix('.json')}.delivery.json"
