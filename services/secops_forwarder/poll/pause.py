"""Do not poll a source for some time after it refused a stream: refused requests may lock the key out.

The refusal itself is a condition of the stream, which the poller records and `status` shows as one problem.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict

from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import MeshError
from shared.contracts.stored_objects import read_stored
from shared.streams.definition import Stream
from shared.virustotal.errors import KeyRefused, NotLicensed, PackageMissing, RequestRefused

_REFUSALS = (KeyRefused, NotLicensed, PackageMissing, RequestRefused)

log = logging.getLogger(__name__)


class Paused(BaseModel):
    """The end of a source's pause."""

    model_config = ConfigDict(frozen=True)

    until: AwareDatetime


class Pause:
    """The pause of one stream; a stream without `pause_minutes` has none."""

    def __init__(self, bucket: Bucket, stream: Stream, now: Callable[[], datetime]) -> None:
        self._bucket = bucket
        self._stream = stream
        self._now = now
        self._name = f"state/streams/pauses/{stream.name}.json"

    def lasts(self) -> bool:
        """Return whether the source is paused now."""
        paused = self._read()[0] if self._stream.pause_minutes else None
        if paused is None or self._now() >= paused.until:
            return False
        log.info("secops.paused: %s is not asked for before %s", self._stream.name, paused.until)
        return True

    def begin_after(self, error: MeshError) -> None:
        """Begin a pause after a refusal; other errors may disappear with the next poll."""
        refused = isinstance(error, _REFUSALS) or error.error_type == "quota_spent"
        if not refused or not self._stream.pause_minutes:
            return
        until = self._now() + timedelta(minutes=self._stream.pause_minutes)
        self._bucket.replace(self._name, Paused(until=until).model_dump_json().encode(), self._read()[1])
        log.error("secops.source_refused: %s: %s; not asked before %s", self._stream.name, error, until)

    def _read(self) -> tuple[Paused | None, int]:
        return read_stored(self._bucket, self._name, Paused, remedy="delete it")
