"""The planner's state: one small object per feed, saved only after every publish was accepted.

The planner reads and writes it; commands and the status page read it. The planner, which runs once a minute, needs only
the bucket, so BigQuery's client is not imported here.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.interfaces import Bucket
from shared.contracts.minutes import EVERY_MINUTE, HORIZON, Minute, Period, format_minute
from shared.contracts.outcomes import Misconfigured
from shared.contracts.stored_objects import read_stored
from shared.operations.health import MISSING_AFTER, newest_checked

# Backoff before a requested minute is requested again.
_MIN_SPACING = timedelta(minutes=10)
_MAX_SPACING = timedelta(minutes=360)
# Backoff for a dead minute, which is first requested again after an hour.
_MIN_SPACING_OF_DEAD = timedelta(hours=2)
_MAX_SPACING_OF_DEAD = timedelta(hours=12)
# More than any clock skew.
_ONE_DAY = timedelta(days=1)
_REMEDY = "delete it and the planner goes on from the ledger"


class RequestRecord(BaseModel):
    """How often the sweep has requested a minute, and when last; dead minutes have longer backoff."""

    model_config = ConfigDict(frozen=True)

    minute: Minute
    times: Annotated[int, Field(ge=1)]
    last: AwareDatetime
    dead: bool = False

    def is_due(self, now: datetime) -> bool:
        """Return whether to request again: 10, 20, 40 ... 360 minutes after the last time; if dead 2, 4 ... 12 h."""
        shortest, longest = _MIN_SPACING, _MAX_SPACING
        if self.dead:
            shortest, longest = _MIN_SPACING_OF_DEAD, _MAX_SPACING_OF_DEAD
        doublings = min(self.times - 1, 6)
        return now - self.last >= min(shortest * (1 << doublings), longest)

    def again(self, now: datetime) -> "RequestRecord":
        """Return the record with one more request."""
        return self.model_copy(update={"times": self.times + 1, "last": now})


class LateRequest(BaseModel):
    """Minutes, both ends inclusive, that the planner requested when they could have been there already, and when."""

    model_config = ConfigDict(frozen=True)

    first: Minute
    last: Minute
    at: AwareDatetime


class LostRange(BaseModel):
    """Minutes, both ends inclusive, that the source had deleted before their request, and when they were skipped."""

    model_config = ConfigDict(frozen=True)

    first: Minute
    last: Minute
    at: AwareDatetime


class ArchiveCheck(BaseModel):
    """The progress of the comparison of the bucket's manifests with ledger and history, which begins again when done.

    next is the day (UTC) that is compared next; None if all are.
    """

    model_config = ConfigDict(frozen=True)

    began: AwareDatetime
    next: date | None


class PlanState(BaseModel):
    """The planner's progress with one feed.

    first is the feed's first minute, watermark the last published minute, asked the minutes that the sweep has
    requested, retried the absent minutes that it has requested once more, and archive the comparison of the bucket.
    late has the minutes that were requested late in the last ten minutes, as after a start with PLAN_BACK: they are
    missing ten minutes after that request. lost has the minutes that the source had deleted before the planner
    requested them, for 7 days.
    """

    model_config = ConfigDict(frozen=True)

    first: Minute
    watermark: Minute
    asked: tuple[RequestRecord, ...] = ()
    retried: tuple[Minute, ...] = ()
    late: tuple[LateRequest, ...] = ()
    lost: tuple[LostRange, ...] = ()
    archive: ArchiveCheck | None = None

    @classmethod
    def beginning(cls, watermark: datetime, period: Period = EVERY_MINUTE) -> "PlanState":
        """Return the initial state of a feed with a watermark."""
        return cls(first=watermark + period.length, watermark=watermark)

    def advanced(self, last: datetime, now: datetime, period: Period = EVERY_MINUTE) -> "PlanState":
        """Return the state after requesting the minutes behind the watermark up to `last`."""
        first = self.watermark + period.length
        late = tuple(one for one in self.late if now - one.at <= MISSING_AFTER)
        if first <= min(last, newest_checked(now, period)):
            late += (LateRequest(first=first, last=last, at=now),)
        lost = tuple(one for one in self.lost if now - one.at <= HORIZON)
        if not period.still_has(first, now):
            lost += (LostRange(first=first, last=period.first_had(first, now) - period.length, at=now),)
        return self.model_copy(update={"watermark": last, "late": late, "lost": lost})

    def requested_late(self, minute: datetime) -> datetime | None:
        """Return when a minute was requested, if that was late and lately; else None."""
        return next((one.at for one in self.late if one.first <= minute <= one.last), None)

    def unrequested(self, now: datetime, period: Period = EVERY_MINUTE) -> Iterator[datetime]:
        """Yield the minutes behind the watermark that should have been requested by now, while the source has them."""
        first = period.first_had(self.watermark + period.length, now)
        return period.between(first, newest_checked(now, period))

    def reached(self, now: datetime, period: Period = EVERY_MINUTE) -> datetime:
        """Return the last due minute that was requested; after clock skew the watermark can be in the future."""
        return min(self.watermark, period.last_due(now))


class PlanStateStore:
    """The state objects in the bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def read(self, feed: str) -> tuple[PlanState | None, int]:
        """Return a feed's state and its generation, or None and 0; raise Misconfigured for an invalid object."""
        return read_stored(self._bucket, _name(feed), PlanState, remedy=_REMEDY)

    def read_to_plan(self, feed: str, now: datetime) -> tuple[PlanState | None, int]:
        """Like read(), for planning; also raise Misconfigured for a watermark far in the future."""
        state, generation = self.read(feed)
        if state:
            self.check(feed, state, now)
        return state, generation

    def check(self, feed: str, state: PlanState, now: datetime) -> None:
        """Raise Misconfigured for a watermark far in the future."""
        if state.watermark - now > _ONE_DAY:
            far = f"{format_minute(state.watermark)}, more than a day from now"
            raise Misconfigured(f"{self._bucket.uri(_name(feed))} has its watermark at {far}; {_REMEDY}")

    def save(self, feed: str, state: PlanState, generation: int) -> bool:
        """Replace the state read at this generation; return False if another run saved first."""
        return self._bucket.replace(_name(feed), state.model_dump_json().encode(), generation)


def _name(feed: str) -> str:
    return f"state/planner/{feed}.json"
