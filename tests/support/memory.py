"""In-memory fakes of the ports with the adapters' behaviour; one contract suite tests both."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from threading import Lock

from shared.contracts.dead_letters import dead_letter_type
from shared.contracts.interfaces import LedgerRow, Listed, MinuteState, Origin, Outgoing, Stored, Writer
from shared.contracts.messages import Message
from shared.contracts.stored_objects import crc32c_of
from shared.warehouse.ledger import content_of


class MemoryPublisher:
    """Keeps published messages by topic; `fail_with` makes the next calls fail as a faulty service would."""

    def __init__(self) -> None:
        self.published: defaultdict[str, list[Outgoing]] = defaultdict(list)
        self.fail_with: Exception | None = None
        self.at_publish: Callable[[], object] = lambda: None

    def publish(self, *messages: Message | Outgoing) -> int:
        """Keep all messages and return their number."""
        self.at_publish()
        if self.fail_with:
            raise self.fail_with
        for message in messages:
            self.published[message.topic].append(Outgoing(message.topic, message.body, message.attributes))
        return len(messages)


# So small that tests have several.
_PIECE_BYTES = 100


class MemoryBucket:
    """A bucket with generations; at_read is called with the name of an object before it is read."""

    def __init__(self, name: str = "landing", now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.name = name
        self.objects: dict[str, Stored] = {}
        self._created: dict[str, datetime] = {}
        self._now = now
        self.at_read: Callable[[str], object] = lambda _: None
        self.at_write: Callable[[], object] = lambda: None
        self._generations = count(1)
        self._lock = Lock()

    def uri(self, name: str) -> str:
        """Return the gs:// address of an object."""
        return f"gs://{self.name}/{name}"

    def name_of(self, uri: str) -> str:
        """Return the name of the object at an address returned by uri()."""
        return uri.removeprefix(self.uri(""))

    def read(self, name: str) -> Stored | None:
        """Return an object, or None if it does not exist."""
        self.at_read(name)
        return self.objects.get(name)

    def pieces(self, name: str) -> Iterator[bytes]:
        """Yield an object in pieces of a few bytes; yield nothing if it does not exist."""
        if stored := self.objects.get(name):
            yield from (stored.data[at : at + _PIECE_BYTES] for at in range(0, len(stored.data), _PIECE_BYTES))

    def create(self, name: str, data: bytes, content_type: str = "application/json") -> bool:
        """Write an object that must not exist yet; return False when it does."""
        return self.replace(name, data, 0, content_type)

    def replace(self, name: str, data: bytes, generation: int, content_type: str = "application/json") -> bool:
        """Replace an object that is still at this generation (0: absent); return False when it is not."""
        del content_type
        self.at_write()
        with self._lock:
            there = self.objects.get(name)
            if (there.generation if there else 0) != generation:
                return False
            self._put(name, data)
            return True

    @contextmanager
    def writing(self, name: str, content_type: str) -> Iterator[Writer]:
        """Stream a new object; an exception inside the block leaves no object behind."""
        del content_type
        buffer = BytesIO()
        yield buffer
        with self._lock:
            self._put(name, buffer.getvalue())

    def delete(self, name: str) -> None:
        """Delete an object; a missing object is not an error."""
        self.objects.pop(name, None)

    def names(self, prefix: str) -> Iterable[str]:
        """Return the names that begin with a prefix, in order."""
        return sorted(name for name in self.objects if name.startswith(prefix))

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin with a prefix, in order, from the name `start` on."""
        found = [(name, self.objects[name]) for name in self.names(prefix) if name >= start]
        return [Listed(name, self._created[name], one.generation, crc32c_of(one.data)) for name, one in found]

    def next_name(self, prefix: str, start: str) -> str | None:
        """Return the first name that begins with a prefix, from the name `start` on; None if there is none."""
        return next((name for name in self.names(prefix) if name >= start), None)

    def _put(self, name: str, data: bytes) -> None:
        self._created[name] = self._now()
        self.objects[name] = Stored(data, next(self._generations))


def reads(bucket: MemoryBucket) -> list[str]:
    """Return a list to which the names of all objects are added that are read from now on."""
    names: list[str] = []
    bucket.at_read = names.append
    return names


class MemoryLedger:
    """A ledger that keeps rows and derives each minute's furthest state as the view `minute_status` does."""

    def __init__(self) -> None:
        self.rows: list[LedgerRow] = []

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Append rows."""
        self.rows.extend(rows)

    def states(self, feed: str, first: datetime, last: datetime) -> Sequence[MinuteState]:
        """Return the state of every minute in [first, last] that the ledger has, oldest first."""
        found: defaultdict[datetime, list[LedgerRow]] = defaultdict(list)
        for row in self.rows:
            if row.feed == feed and row.minute and first <= row.minute <= last:
                found[row.minute].append(row)
        left = {minute: _since_replaced(rows) for minute, rows in sorted(found.items())}
        return [_state(minute, sorted(rows, key=_progress, reverse=True)) for minute, rows in left.items()]

    def origin(self, feed: str, first: datetime, last: datetime) -> Origin:
        """Return the beginning of the feed in the ledger, from its rows about minutes in [first, last]."""
        rows = [(row.event, row.minute) for row in self.rows if row.feed == feed and row.minute]
        known = [(event, minute) for event, minute in rows if first <= minute <= last]
        planned = [minute for event, minute in known if event == "planned"]
        others = [minute for event, minute in known if event not in _ONLY_DUE]
        return Origin(min(planned, default=None), min(others, default=None), max(others, default=None))


class MemoryHistory:
    """The number of rows in history, by minute, and its expiry."""

    def __init__(self, expiry_days: int | None = None) -> None:
        self.counts: dict[datetime, int] = {}
        self.expiry_days = expiry_days

    def days(self, feed: str) -> int | None:
        """Return the partition expiry of history in days; None if it never expires."""
        del feed
        return self.expiry_days

    def rows(self, feed: str, first: datetime, last: datetime) -> dict[datetime, int]:
        """Return the number of rows of each minute in [first, last] that has any."""
        del feed
        return {minute: count for minute, count in self.counts.items() if first <= minute <= last}


_ONLY_DUE = ("planned", "asked", "replaced")


def _since_replaced(rows: Sequence[LedgerRow]) -> list[LedgerRow]:
    replaced = max((row.at for row in rows if row.event == "replaced"), default=None)
    return [row for row in rows if replaced is None or row.at >= replaced]


def _state(minute: datetime, rows: Sequence[LedgerRow]) -> MinuteState:
    """Return the state by a minute's rows, the furthest first."""
    furthest = rows[0]
    dead = furthest.event == "dead"
    return MinuteState(
        minute,
        "due" if furthest.event in _ONLY_DUE else furthest.event,
        furthest.at,
        furthest.reason,
        counted=furthest.event != "merged" or any(row.lines is not None for row in rows),
        error_type=dead_letter_type(furthest.error_type, furthest.reason) if dead else None,
        rows=next((row.rows for row in rows if row.rows is not None), None),
        crc32c=next(filter(None, (content_of(row.crc32c, row.job_id) for row in rows)), None),
    )


def _progress(row: LedgerRow) -> tuple[int, datetime]:
    if row.event in _ONLY_DUE:
        return -2, row.at
    changed = row.error_type == "source_changed"
    return -1 if changed else {"merged": 2, "loaded": 1}.get(row.event, 0), row.at
