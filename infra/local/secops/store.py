"""The accepted logs: every log's key is counted, and the newest logs are kept in full."""

import hashlib
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Lock

from pydantic import BaseModel, ConfigDict

from infra.local.secops.journal import Accepted, Journal
from infra.local.secops.requests import Log
from shared.contracts.minutes import utc_now
from shared.runtime.json_bytes import read_json
from shared.streams.definition import look_up

_NAME = b'"notification_id":'
_NOTIFICATION_ID = re.compile(re.escape(_NAME) + rb'\s*"([^"\\]+)"')


class LogTypeReport(BaseModel):
    """One log type: accepted requests, logs, duplicates among them, and sizes."""

    model_config = ConfigDict(frozen=True)

    accepted: int = 0
    logs: int = 0
    distinct: int = 0
    duplicates: int = 0
    bytes: int = 0
    max_request_bytes: int = 0
    max_logs: int = 0
    repeated_bodies: int = 0


class Report(BaseModel):
    """The figures since the start or the last reset: responses by status (0: none), log types, and lost logs."""

    model_config = ConfigDict(frozen=True)

    requests: dict[int, int]
    log_types: dict[str, LogTypeReport]
    lost: int = 0

    @property
    def request_count(self) -> int:
        """The number of requests."""
        return sum(self.requests.values())

    def log_type(self, name: str) -> LogTypeReport:
        """Return the figures of a log type."""
        return self.log_types.get(name, LogTypeReport())


class Kept(BaseModel):
    """One accepted log."""

    model_config = ConfigDict(frozen=True)

    log_type: str
    data: str
    log_entry_time: str
    collection_time: str
    environment_namespace: str
    labels: dict[str, str]


class Store:
    """Counts and stores logs."""

    def __init__(self, keep: int, journal: Journal) -> None:
        self._lock = Lock()
        self._keep = keep
        self._journal = journal
        self._begin()
        started = utc_now()
        for accepted in journal.read():
            self._count(accepted)
            # The journal has no logs.
            self._forgotten[accepted.log_type] = started

    def clear(self) -> None:
        """Delete everything."""
        with self._lock:
            self._journal.clear()
        self._begin()

    def _begin(self) -> None:
        with self._lock:
            self._keys: dict[str, Counter[str]] = {}
            self._bodies: dict[str, Counter[str]] = {}
            self._figures: dict[str, LogTypeReport] = {}
            self._statuses: Counter[int] = Counter()
            self._lost = 0
            self._kept: deque[tuple[str, Log]] = deque()
            self._forgotten: dict[str, datetime] = {}

    def count(self, status: int) -> None:
        """Count one response; 0 means none."""
        with self._lock:
            self._statuses[status] += 1

    def lose(self, logs: int) -> None:
        """Count logs that were accepted and will never be found."""
        with self._lock:
            self._lost += logs

    def log_types(self) -> frozenset[str]:
        """Return the types that have logs."""
        with self._lock:
            return frozenset(self._figures)

    def whole(self) -> list[tuple[str, Log]]:
        """Return the newest logs with their types, oldest first."""
        with self._lock:
            return list(self._kept)

    def accept(self, log_type: str, logs: Sequence[Log], body: bytes) -> None:
        """Keep the logs of one request."""
        accepted = Accepted(
            log_type=log_type,
            keys=tuple(map(log_key, logs)),
            digest=hashlib.sha256(body).hexdigest(),
            size=len(body),
        )
        with self._lock:
            self._kept.extend((log_type, log) for log in logs)
            while len(self._kept) > self._keep:
                self._forget(*self._kept.popleft())
            self._journal.write(accepted)
            self._count(accepted)

    def _forget(self, log_type: str, log: Log) -> None:
        self._forgotten[log_type] = max(log.log_entry_time, self._forgotten.get(log_type, log.log_entry_time))

    def forgotten(self, log_types: Sequence[str]) -> datetime | None:
        """Return the newest log entry time of what is not kept of these types, or of all; None if everything is."""
        with self._lock:
            return max(
                (self._forgotten[one] for one in log_types or self._forgotten if one in self._forgotten), default=None
            )

    def _count(self, accepted: Accepted) -> None:
        seen = self._keys.setdefault(accepted.log_type, Counter())
        seen.update(accepted.keys)
        bodies = self._bodies.setdefault(accepted.log_type, Counter())
        bodies[accepted.digest] += 1
        before = self._figures.get(accepted.log_type, LogTypeReport())
        self._figures[accepted.log_type] = LogTypeReport(
            accepted=before.accepted + 1,
            logs=before.logs + len(accepted.keys),
            distinct=len(seen),
            duplicates=before.logs + len(accepted.keys) - len(seen),
            bytes=before.bytes + accepted.size,
            max_request_bytes=max(before.max_request_bytes, accepted.size),
            max_logs=max(before.max_logs, len(accepted.keys)),
            repeated_bodies=bodies.total() - len(bodies),
        )

    def report(self) -> Report:
        """Return all figures."""
        with self._lock:
            return Report(requests=dict(self._statuses), log_types=dict(self._figures), lost=self._lost)

    def keys(self, log_type: str) -> list[str]:
        """Return the distinct keys of a type's logs."""
        with self._lock:
            return sorted(self._keys.get(log_type, ()))

    def logs(self, log_type: str) -> list[Kept]:
        """Return the newest logs of a type, oldest first."""
        kept = [log for name, log in self.whole() if name == log_type]
        return [
            Kept(
                log_type=log_type,
                data=log.data.decode(errors="replace"),
                log_entry_time=log.log_entry_time.isoformat(),
                collection_time=log.collection_time.isoformat(),
                environment_namespace=log.environment_namespace,
                labels={name: label.value for name, label in log.labels.items()},
            )
            for log in kept
        ]


def log_key(log: Log) -> str:
    """Return a log's key: the notification's id, or hour, list, type and id of a threat list's element.

    Without either it is a digest of the data.
    """
    # Parsing whole items would make the simulator the slowest part of every measurement, and a regular expression takes
    # five times as long as find to get there.
    if found := _NOTIFICATION_ID.search(log.data, max(0, log.data.find(_NAME))):
        return found.group(1).decode()
    if threat_list := log.labels.get("threat_list"):
        element = look_up(read_json(log.data), "data")
        listed = (threat_list.value, look_up(element, "type"), look_up(element, "id"))
        return "/".join((f"{log.log_entry_time:%Y-%m-%dT%H}", *map(str, listed)))
    return hashlib.sha256(log.data).hexdigest()


class Burst:
    """The burst limit: a number of bytes within a rolling window."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self.set(None, 300.0)

    def set(self, limit: int | None, seconds: float) -> None:
        """Allow this many bytes in this many seconds; None allows everything."""
        with self._lock:
            self._limit, self._seconds = limit, seconds
            self._taken: deque[tuple[float, int]] = deque()

    def take(self, size: int) -> bool:
        """Count a request; return False if it exceeds the limit of the window."""
        now = self._clock()
        with self._lock:
            while self._taken and self._taken[0][0] <= now - self._seconds:
                self._taken.popleft()
            if self._limit is not None and sum(taken for _, taken in self._taken) + size > self._limit:
                return False
            self._taken.append((now, size))
            return True
