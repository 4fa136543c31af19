"""In-memory twins of the ports: what the real adapters do, without a cloud; one contract suite holds both."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from io import BytesIO
from itertools import count
from threading import Lock

from shared.ports import LedgerRow, Listed, MinuteState, Outgoing, Stored, Writer


class MemoryPublisher:
    """Keeps what was published, by topic; `fail_with` makes the next calls fail as a service in trouble would."""

    def __init__(self) -> None:
        self.published: defaultdict[str, list[Outgoing]] = defaultdict(list)
        self.fail_with: Exception | None = None

    def publish(self, topic: str, messages: Iterable[Outgoing]) -> int:
        """Keep all messages and return their number."""
        if self.fail_with:
            raise self.fail_with
        kept = list(messages)
        self.published[topic].extend(kept)
        return len(kept)


class MemoryBucket:
    """A bucket with generations."""

    def __init__(self, name: str = "landing", now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.name = name
        self.objects: dict[str, Stored] = {}
        self._created: dict[str, datetime] = {}
        self._now = now
        self._generations = count(1)
        self._lock = Lock()

    def uri(self, name: str) -> str:
        """Return the gs:// address of an object."""
        return f"gs://{self.name}/{name}"

    def read(self, name: str) -> Stored | None:
        """Return an object, or None when there is none."""
        return self.objects.get(name)

    def create(self, name: str, data: bytes, content_type: str = "application/json") -> bool:
        """Write an object that must not exist yet; return False when it does."""
        return self.replace(name, data, 0, content_type)

    def replace(self, name: str, data: bytes, generation: int, content_type: str = "application/json") -> bool:
        """Replace an object that is still at this generation (0: absent); return False when it is not."""
        del content_type
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
        """Delete an object; nothing happens when there is none."""
        self.objects.pop(name, None)

    def names(self, prefix: str) -> Iterable[str]:
        """Return the names that begin with a prefix, in order."""
        return sorted(name for name in self.objects if name.startswith(prefix))

    def listed(self, prefix: str, start: str) -> Iterable[Listed]:
        """Return the objects that begin with a prefix, in order, from the name `start` on."""
        return [Listed(name, self._created[name]) for name in self.names(prefix) if name >= start]

    def _put(self, name: str, data: bytes) -> None:
        self._created[name] = self._now()
        self.objects[name] = Stored(data, next(self._generations))


class MemoryLedger:
    """A ledger that keeps rows and derives each minute's furthest state as the view `minute_status` does."""

    def __init__(self) -> None:
        self.rows: list[LedgerRow] = []

    def record(self, rows: Sequence[LedgerRow]) -> None:
        """Append rows."""
        self.rows.extend(rows)

    def states(self, feed: str, first: datetime, last: datetime) -> Sequence[MinuteState]:
        """Return the state of every minute in [first, last] that the ledger knows, oldest first."""
        furthest: dict[datetime, LedgerRow] = {}
        counted: set[datetime] = set()
        for row in self.rows:
            if row.feed != feed or row.minute is None or not first <= row.minute <= last:
                continue
            if row.lines is not None:
                counted.add(row.minute)
            known = furthest.get(row.minute)
            if known is None or _progress(row) > _progress(known):
                furthest[row.minute] = row
        return [
            MinuteState(minute, row.event, row.at, row.reason, row.event != "merged" or minute in counted)
            for minute, row in sorted(furthest.items())
        ]


def _progress(row: LedgerRow) -> tuple[int, datetime]:
    return {"merged": 2, "loaded": 1}.get(row.event, 0), row.at
