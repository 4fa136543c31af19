"""The services' external dependencies as protocols: shared.gcp implements them, tests.support.memory has fakes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from shared.contracts.messages import Message
from shared.contracts.outcomes import DeadLetterType


@dataclass(frozen=True)
class Outgoing:
    """A raw message for a topic, such as a dead letter, whose body is kept unchanged."""

    topic: str
    body: bytes
    attributes: Mapping[str, str] = field(default_factory=dict)


class Publisher(Protocol):
    """Publishes to Pub/Sub."""

    def publish(self, *messages: Message | Outgoing) -> int:
        """Publish messages to their topics; return their number once Pub/Sub has all of them, otherwise raise."""


@dataclass(frozen=True)
class Stored:
    """An object as read: its bytes and the generation they belong to."""

    data: bytes
    generation: int


@dataclass(frozen=True)
class Listed:
    """An object as it appears in a listing; generation is None where the listing does not have it.

    crc32c is that of the object's bytes, in eight hexadecimal digits; None where the listing does not have it.
    """

    name: str
    created: datetime
    generation: int | None = None
    crc32c: str | None = None


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

    def name_of(self, uri: str) -> str:
        """Return the name of the object at an address returned by uri()."""

    def read(self, name: str) -> Stored | None:
        """Return an object, or None if it does not exist."""

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield an object in pieces, none of which stays in memory; yield nothing if it does not exist."""

    def create(self, name: str, data: bytes, content_type: str = "application/json") -> bool:
        """Write an object that must not exist yet; return False when it does."""

    def replace(self, name: str, data: bytes, generation: int) -> bool:
        """Replace an object that is still at this generation (0: absent); return False when it is not."""

    def writing(self, name: str, content_type: str) -> AbstractContextManager[Writer]:
        """Stream a new object; an exception inside the block leaves no object behind."""

    def delete(self, name: str) -> None:
        """Delete an object; a missing object is not an error."""

    def names(self, prefix: str) -> Iterable[str]:
        """Return the names that begin with a prefix, in order."""

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin with a prefix, in order, from the name `start` on."""

    def next_name(self, prefix: str, start: str) -> str | None:
        """Return the first name that begins with a prefix, from the name `start` on; None if there is none."""


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
    error_type: str | None = None
    crc32c: str | None = None


@dataclass(frozen=True)
class MinuteState:
    """The latest state of one minute, as in the view `minute_status`.

    state `due` means that the ledger knows only that the minute was requested. error_type and reason say why a dead
    minute is dead. counted is False for a merged minute for which the ledger has no line count: it has lost the landed
    and loaded events. rows is the number of rows in history when it was last merged, and crc32c the content that the
    furthest event is about.
    """

    minute: datetime
    state: str
    at: datetime
    reason: str | None = None
    counted: bool = True
    error_type: DeadLetterType | None = None
    rows: int | None = None
    crc32c: str | None = None


@dataclass(frozen=True)
class Origin:
    """Where a feed begins by the ledger: its first planned minute, and the first and last minute with another event."""

    planned: datetime | None = None
    first: datetime | None = None
    last: datetime | None = None


class LedgerReader(Protocol):
    """Reads the ledger."""

    def states(self, feed: str, first: datetime, last: datetime) -> Sequence[MinuteState]:
        """Return the state of every minute in [first, last] that the ledger knows, oldest first."""

    def origin(self, feed: str, first: datetime, last: datetime) -> Origin:
        """Return what the ledger knows of the feed's beginning, from its rows about minutes in [first, last]."""


class LedgerWriter(Protocol):
    """Appends to the ledger."""

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Append rows; raise if any row was refused."""


class Ledger(LedgerReader, LedgerWriter, Protocol):
    """The ledger, read and written."""


class HistoryReader(Protocol):
    """Reads history, the archive of a feed's lines."""

    def days(self, feed: str) -> int | None:
        """Return the partition expiry of history in days; None if it never expires."""

    def rows(self, feed: str, first: datetime, last: datetime) -> Mapping[datetime, int]:
        """Return the number of rows of each minute in [first, last] that has any."""
