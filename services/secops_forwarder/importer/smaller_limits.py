"""A tenant's request limits if they are below the settings: learned by halving, kept for the process."""

import logging
from collections.abc import Iterable
from threading import Lock

from services.secops_forwarder.importer.chunks import Limits

log = logging.getLogger(__name__)


class SmallerLimits:
    """The largest request to try; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._found: Limits | None = None

    def allow(self, request: Limits) -> bool:
        """Return whether a request of this size is within the limits."""
        found = self._found
        return found is None or (request.bytes <= found.bytes and request.logs <= found.logs)

    def learn(self, accepted: Iterable[Limits]) -> None:
        """Lower the limits to what was accepted in place of a refused request without a bad log."""
        parts = list(accepted)
        largest = Limits(bytes=max(part.bytes for part in parts), logs=max(part.logs for part in parts))
        with self._lock:
            before, self._found = self._found, largest
        if before is None:
            log.warning(
                "secops.smaller_limit: this tenant refused a request but accepted its halves; from now on at most "
                "%d bytes and %d logs are sent in one (SECOPS_MAX_REQUEST_BYTES, SECOPS_MAX_REQUEST_LOGS)",
                largest.bytes,
                largest.logs,
            )
