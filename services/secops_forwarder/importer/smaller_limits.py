"""A tenant's request limits if they are below the settings: learned by halving, kept for the process.

A refused request does not say whether it had too many bytes or too many logs. What was accepted tells: a tenant that
has accepted as many logs in another request refuses the bytes.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace
from sys import maxsize
from threading import Lock

from services.secops_forwarder.importer.chunks import Limits

log = logging.getLogger(__name__)


class SmallerLimits:
    """What requests to try; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._accepted = Limits(bytes=0, logs=0)
        # The fewest bytes and the fewest logs that are known to be too many, once a request was refused.
        self._too_many: Limits | None = None

    def allow(self, request: Limits) -> bool:
        """Return whether a request of this size may be within the limits."""
        with self._lock:
            known, too_many = self._accepted, self._too_many
        if too_many is None:
            return True
        more_bytes, more_logs = request.bytes > known.bytes, request.logs > known.logs
        if more_bytes and more_logs:
            return False
        if more_bytes:
            return request.bytes < too_many.bytes
        return not more_logs or request.logs < too_many.logs

    def accepted(self, request: Limits) -> None:
        """Record a request that was accepted."""
        with self._lock:
            self._accepted = _largest((self._accepted, request))

    def refused(self, request: Limits, parts: Iterable[Limits]) -> None:
        """Record a request that was refused, and all of whose logs were accepted in these parts or smaller ones."""
        with self._lock:
            told = self._too_many is not None
            known, too_many = self._accepted, self._too_many or Limits(bytes=maxsize, logs=maxsize)
            more_bytes, more_logs = request.bytes > known.bytes, request.logs > known.logs
            if more_bytes and not more_logs:
                too_many = replace(too_many, bytes=min(too_many.bytes, request.bytes))
            elif more_logs and not more_bytes:
                too_many = replace(too_many, logs=min(too_many.logs, request.logs))
            elif not more_bytes:
                # It takes less than before.
                self._accepted = _largest(parts)
            self._too_many = too_many
        if not told:
            log.warning(
                "secops.smaller_limit: this tenant refused a request of %d bytes and %d logs but accepted its parts; "
                "from now on smaller ones are sent (SECOPS_MAX_REQUEST_BYTES, SECOPS_MAX_REQUEST_LOGS)",
                request.bytes,
                request.logs,
            )


def _largest(requests: Iterable[Limits]) -> Limits:
    known = list(requests)
    return Limits(bytes=max(one.bytes for one in known), logs=max(one.logs for one in known))
