"""How far a page's delivery has come: one object a page, replaced only at the generation that was read.

It holds a lease, so that two deliveries of one message never post at once, and how many items are done with. A lease is
renewed with every record; after a crash it runs out, and the next delivery goes on behind the last record.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shared.outcomes import Misconfigured, Retryable
from shared.ports import Bucket
from shared.problems import problems
from shared.secops.client import LONGEST_SECONDS

# Longer than one request can take, so that nobody posts while another one may still be waiting for an answer.
LEASE = timedelta(seconds=LONGEST_SECONDS + 40)


class Delivery(BaseModel):
    """What has become of a page's items: the first `done` are accepted or given up; oversize ones are by position.

    reason says why the rest was given up; it is gone when a later delivery takes the page up again.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    items: int
    done: int = 0
    accepted: int = 0
    oversize: tuple[int, ...] = ()
    requests: int = 0
    reason: str | None = None
    holder: str = ""
    held_until: AwareDatetime | None = None

    @property
    def finished(self) -> bool:
        """Whether no item is left."""
        return self.done == self.items

    @property
    def dead(self) -> int:
        """How many items were given up."""
        return len(self.oversize) + (self.items - self.accepted - len(self.oversize) if self.reason else 0)

    def released(self) -> "Delivery":
        """Return this delivery with nobody holding it."""
        return self.model_copy(update={"holder": "", "held_until": None})


class Lease:
    """The right to deliver a page, held while its `with` block runs; changes are kept before the next step is taken."""

    def __init__(self, bucket: Bucket, name: str, items: int, now: Callable[[], datetime]) -> None:
        self._bucket = bucket
        self._name = name
        self._now = now
        self._holder = uuid4().hex
        stored = bucket.read(name)
        self._generation = stored.generation if stored else 0
        self.delivery = read_delivery(stored.data, bucket.uri(name)) if stored else Delivery(items=items)

    def __enter__(self) -> "Lease":
        """Take the lease; raise Retryable while another delivery holds it."""
        until = self.delivery.held_until
        if until and until > self._now():
            raise Retryable(f"{self._bucket.uri(self._name)}: another delivery holds this page until {until}")
        if not self.delivery.finished:
            self.keep(reason=None)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lease back, so that the next delivery need not wait for its end."""
        if self.delivery.held_until:
            # False: the lease ran out and is another one's now.
            self._write(self.delivery.released())

    def keep(self, **changes: object) -> None:
        """Record changes and renew the lease; raise Retryable when it has gone to another delivery."""
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


def read_delivery(data: bytes, uri: str) -> Delivery:
    """Read a delivery object; raise Misconfigured when it is none."""
    try:
        return Delivery.model_validate_json(data)
    except ValidationError as error:
        raise Misconfigured(f"{uri} is no delivery: {problems(error)}; delete it to send the page again") from None


def delivery_name(page: str) -> str:
    """Return the object beside a page that holds its delivery."""
    return f"{page.removesuffix('.json')}.delivery.json"
