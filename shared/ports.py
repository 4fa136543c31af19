"""What the services need from the world, as protocols; shared.gcp holds the real ones, shared.memory their twins."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True)
class Outgoing:
    """A message on its way to a topic."""

    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


class Publisher(Protocol):
    """Publishes to Pub/Sub."""

    def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Publish all messages and return their number once the service holds every one; raise otherwise."""


@dataclass(frozen=True)
class Stored:
    """An object as read: its bytes and the generation they belong to."""

    data: bytes
    generation: int


@dataclass(frozen=True)
class Listed:
    """An object as a listing tells of it."""

    name: str
    created: datetime


class Writer(Protocol):
    """An object being written; it exists only after its `with` block ended without an exception."""

    def write(self, data: bytes, /) -> int:
        """Append bytes."""


class Bucket(Protocol):
    """One Cloud Storage bucket."""

    @property
    def name(self) -> str:
        """The bucket's name."""

    def uri(self, name: str) -> str:
        """Return the gs:// address of an object."""

    def read(self, name: str) -> Stored | None:
        """Return an object, or None when there is none."""

    def create(self, name: str, data: bytes, content_type: str = "application/json") -> bool:
        """Write an object that must not exist yet; return False when it does."""

    def replace(self, name: str, data: bytes, generation: int) -> bool:
        """Replace an object that is still at this generation (0: absent); return False when it is not."""

    def writing(self, name: str, content_type: str) -> AbstractContextManager[Writer]:
        """Stream a new object; an exception inside the block leaves no object behind."""

    def delete(self, name: str) -> None:
        """Delete an object; nothing happens when there is none."""

    def names(self, prefix: str) -> Iterable[str]:
        """Return the names that begin with a prefix, in order."""

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin with a prefix, in order, from the name `start` on."""


@dataclass(frozen=True)
class LedgerRow:
    """One event in the life of a minute, as the ledger table `minutes` keeps it."""

    event: str
    at: datetime
    feed: str | None = None
    minute: datetime | None = None
    lines: int | None = None
    rejected: int | None = None
    bytes: int | None = None
    rows: int | None = None
    uri: str | None = None
    job_id: str | None = None
    reason: str | None = None
    source: str | None = None
    attempts: int | None = None
    message_id: str | None = None


@dataclass(frozen=True)
class MinuteState:
    """The furthest state of one minute, as the view `minute_status` gives it.

    counted is False for a merged minute of whose lines the ledger knows nothing: it has forgotten landing and load.
    """

    minute: datetime
    state: str
    at: datetime
    reason: str | None = None
    counted: bool = True


class LedgerReader(Protocol):
    """Reads the ledger."""

    def states(self, feed: str, first: datetime, last: datetime) -> Sequence[MinuteState]:
        """Return the state of every minute in [first, last] that the ledger knows, oldest first."""


class LedgerWriter(Protocol):
    """Appends to the ledger."""

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Append rows; raise when one of them was not taken."""
