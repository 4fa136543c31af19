"""Read the mesh at most once in so many seconds, however many viewers ask."""

import gzip
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock

import orjson

from shared.outcomes import MeshError

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """What one look at the mesh found, as JSON, or why it found nothing (status 503)."""

    body: bytes
    at: datetime
    status: int = 200

    @cached_property
    def etag(self) -> str:
        """The same for the same content, whenever it was read."""
        return hashlib.sha256(self.body).hexdigest()[:16]

    @cached_property
    def gzipped(self) -> bytes:
        """The body as nearly every browser takes it: a tenth of the size."""
        return gzip.compress(self.body, compresslevel=6, mtime=0)


class Readings:
    """Keeps the newest reading; a failure is kept as long as a success, so that trouble is not multiplied either."""

    def __init__(
        self, read: Callable[[], object], *, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._lock = Lock()
        self._newest: Reading | None = None
        self._read_again = clock()

    def latest(self) -> Reading:
        """Return the newest reading.

        While one thread reads, the others take what was read before; only at the very first do they wait for it.
        """
        newest = self._newest
        if newest and self._clock() < self._read_again:
            return newest
        if not self._lock.acquire(blocking=newest is None) and newest:
            return newest
        try:
            if self._newest is None or self._newest is newest:
                self._newest = self._look()
                self._read_again = self._clock() + self._seconds
            return self._newest
        finally:
            self._lock.release()

    def _look(self) -> Reading:
        at = datetime.now(UTC)
        try:
            return Reading(orjson.dumps(self._read()), at)
        except MeshError as error:
            log.warning("page.unreadable: %s", error)
            return Reading(orjson.dumps({"error": str(error)}), at, 503)
        except Exception as error:
            # The boundary at which everything unforeseen becomes one bad reading; the log has the stack.
            log.exception("page.failed")
            return Reading(orjson.dumps({"error": f"unexpected {type(error).__name__}; see the log"}), at, 503)
