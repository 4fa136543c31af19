"""Read the mesh at most once per interval, for any number of viewers."""

import gzip
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from threading import Lock

from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import MeshError
from shared.runtime.json_bytes import write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """The data of one reading as JSON, or the error (status 503)."""

    body: bytes
    at: datetime
    status: int = 200

    @cached_property
    def etag(self) -> str:
        """Equal for equal content."""
        return hashlib.sha256(self.body).hexdigest()[:16]

    @cached_property
    def gzipped(self) -> bytes:
        """The gzipped body: a tenth of the size."""
        return gzip.compress(self.body, compresslevel=6, mtime=0)


class Readings:
    """Caches the newest reading; a failure is cached as long as a success, to avoid extra load during an outage."""

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

        While one thread reads, the others return the previous reading; only for the first one do they wait.
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
        at = utc_now()
        try:
            return Reading(write_json(self._read()), at)
        except MeshError as error:
            log.warning("page.unreadable: %s", error)
            return Reading(write_json({"error": str(error)}), at, 503)
        except Exception as error:
            # The boundary where an unexpected exception becomes a failed reading; the log has the stack trace.
            log.exception("page.failed")
            return Reading(write_json({"error": f"unexpected {type(error).__name__}; see the log"}), at, 503)
