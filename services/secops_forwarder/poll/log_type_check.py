"""Ask the tenant once whether a stream's log type exists, before its first pages are refused.

The answer is recorded for the log type, so that it is asked and reported once. A missing log type is asked for with
every poll until it is there (a new one takes hours), and is a condition that `status` shows meanwhile. Nothing here
stops a poll: pages land anyway, and are delivered later.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from pydantic import AwareDatetime, BaseModel, ConfigDict

from services.secops_forwarder.importer.errors import DestinationRefused, LogTypeMissing
from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import MeshError
from shared.contracts.stored_objects import read_stored
from shared.operations.feed_conditions import log_type_conditions
from shared.streams.forwarded import Forwarded

log = logging.getLogger(__name__)


class LogTypes(Protocol):
    """The tenant's log types."""

    def check_log_type(self, log_type: str) -> None:
        """Return if a log type exists; raise LogTypeMissing if not, and DestinationRefused if that cannot be asked."""


class Checked(BaseModel):
    """A log type that need not be asked for again, and why: it exists, or the credentials may not ask."""

    model_config = ConfigDict(frozen=True)

    log_type: str
    exists: bool
    at: AwareDatetime


class LogTypeCheck:
    """Checks the log types of streams."""

    def __init__(self, tenant: LogTypes, bucket: Bucket, now: Callable[[], datetime]) -> None:
        self._tenant = tenant
        self._bucket = bucket
        self._now = now
        self._missing = log_type_conditions(bucket)

    def check(self, stream: Forwarded) -> str | None:
        """Return what is new about a stream's log type, if anything; errors do not stop the poll."""
        try:
            return self._check(stream)
        except MeshError as error:
            log.warning("secops.log_type_unchecked: %s: %s; the next poll asks again", stream.log_type, error)
            return None

    def _check(self, stream: Forwarded) -> str | None:
        name = f"state/streams/log-types/{stream.name}.json"
        before, generation = read_stored(self._bucket, name, Checked, remedy="delete it")
        if before and before.log_type == stream.log_type:
            return None
        try:
            found = self._ask(stream)
        except LogTypeMissing as error:
            return self._report(stream, error)
        checked = Checked(log_type=stream.log_type, exists=found is None, at=self._now())
        self._bucket.replace(name, checked.model_dump_json().encode(), generation)
        self._missing.clear(stream.name)
        return found or f"the tenant has the log type {stream.log_type}"

    def _ask(self, stream: Forwarded) -> str | None:
        """Return why it cannot be asked, or None if the log type exists."""
        try:
            self._tenant.check_log_type(stream.log_type)
        except LogTypeMissing:
            raise
        except DestinationRefused as error:
            log.warning("secops.log_type_unchecked: %s", error)
            return f"whether the tenant has the log type {stream.log_type} was not checked: {error}"
        log.info("secops.log_type_exists: %s", stream.log_type)
        return None

    def _report(self, stream: Forwarded, error: LogTypeMissing) -> str | None:
        if self._missing.read(stream.name):
            return None
        self._missing.report(stream.name, error, self._now())
        log.error("secops.log_type_missing: %s", error, extra={"fields": {"error_type": error.error_type}})
        return str(error)
