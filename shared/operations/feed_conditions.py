"""The condition of a feed: the source's last error, kept until a package is available again.

One small object per feed, `state/feeds/<feed>.json`, written by the downloader and read by sweep, status and status
page. Some errors are conditions of the feed, which block every minute: a missing licence, a refused key. While one
lasts, the planner keeps requesting the due minute and the sweep one missing minute; the first successful download
deletes the object, and the sweep requests everything that was refused. Streams have the same: one object for their
source, one for SecOps.
"""

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from shared.contracts.interfaces import Bucket
from shared.contracts.outcomes import ErrorType, MeshError
from shared.contracts.stored_objects import read_stored
from shared.operations.health import MISSING_AFTER
from shared.operations.problems import Problem

_REMEDY = "delete it; it is written again if needed"
# An outage fails hundreds of requests a minute, and Cloud Storage allows one write per second and object.
_REPORTED_EVERY = timedelta(minutes=1)

# Every request of the feed or stream meets these, until an operator acts.
_BLOCKING: frozenset[ErrorType] = frozenset({"not_licensed", "key_refused", "misconfigured", "request_refused"})


class FeedCondition(BaseModel):
    """The last error, and since when requests have failed in this way; reported is when it was last written."""

    model_config = ConfigDict(frozen=True)

    error_type: ErrorType
    reason: str
    since: AwareDatetime
    reported: AwareDatetime | None = None

    @property
    def blocks(self) -> bool:
        """Whether it blocks everything, so that it is the only problem."""
        return self.error_type in _BLOCKING

    def problems(self, what: str, now: datetime) -> Iterator[Problem]:
        """Yield the problem, if it is one: at once if it blocks, otherwise after some time."""
        if self.blocks or now - self.since > MISSING_AFTER:
            yield Problem(f"{what} since {self.since:%Y-%m-%dT%H:%MZ}: {self.reason}")


class FeedConditions:
    """The condition objects in one folder of the bucket: of feeds, or of streams."""

    def __init__(self, bucket: Bucket, folder: str = "state/feeds") -> None:
        self._bucket = bucket
        self._folder = folder

    def report(self, feed: str, error: MeshError, now: datetime) -> None:
        """Record why a feed fails, unless a failure of the same type was recorded a moment ago."""
        stored = self._bucket.read(self._name(feed))
        known = _known(stored.data) if stored else None
        condition = FeedCondition(error_type=error.error_type, reason=str(error), since=now)
        if known and known.error_type == error.error_type:
            if now - (known.reported or known.since) < _REPORTED_EVERY:
                return
            condition = condition.model_copy(update={"since": known.since, "reported": now})
        content = condition.model_dump_json().encode()
        # False: another delivery has recorded its error.
        self._bucket.replace(self._name(feed), content, stored.generation if stored else 0)

    def clear(self, feed: str) -> None:
        """Delete the record after a success."""
        self._bucket.delete(self._name(feed))

    def keep(self, feed: str, error: MeshError, now: datetime) -> None:
        """Record an error that is about to be raised; a failure to record must not hide it."""
        with suppress(MeshError):
            self.report(feed, error, now)

    def keep_only(self, feeds: Collection[str]) -> None:
        """Delete the conditions of all other feeds."""
        for name in self._bucket.names(f"{self._folder}/"):
            if name not in map(self._name, feeds):
                self._bucket.delete(name)

    def read(self, feed: str) -> FeedCondition | None:
        """Return a feed's condition, or None; raise Misconfigured for an object that cannot be parsed."""
        return read_stored(self._bucket, self._name(feed), FeedCondition, remedy=_REMEDY)[0]

    def _name(self, feed: str) -> str:
        return f"{self._folder}/{feed}.json"


def _known(data: bytes) -> FeedCondition | None:
    try:
        return FeedCondition.model_validate_json(data)
    except ValidationError:
        # Not written by this mesh; the next error replaces it.
        return None


def log_type_conditions(bucket: Bucket) -> FeedConditions:
    """Return the conditions of streams whose log type the tenant does not have; the poll writes them."""
    return FeedConditions(bucket, "state/streams/missing-log-types")


def destination_conditions(bucket: Bucket) -> FeedConditions:
    """Return the conditions of SecOps by the name of the stream; the importer writes them."""
    return FeedConditions(bucket, "state/destinations")


def stream_conditions(bucket: Bucket) -> FeedConditions:
    """Return the conditions of VirusTotal by the name of the stream; the poll writes them."""
    return FeedConditions(bucket, "state/streams/conditions")
