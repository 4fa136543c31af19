"""The planner's memory: one small object a feed, saved only after every publish has been taken."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from shared.minutes import ONE_MINUTE, Minute, format_minute
from shared.outcomes import Misconfigured
from shared.ports import Bucket
from shared.problems import problems

# How long a minute that was asked for is left alone before it is asked for again.
_SHORTEST_SPACING = timedelta(minutes=10)
_LONGEST_SPACING = timedelta(minutes=360)
# More than any clock is wrong by.
_A_DAY = timedelta(days=1)


class Asked(BaseModel):
    """How often the sweep has asked for a minute, and when last."""

    model_config = ConfigDict(frozen=True)

    minute: Minute
    times: Annotated[int, Field(ge=1)]
    last: AwareDatetime

    def is_due(self, now: datetime) -> bool:
        """Say whether it is time to ask again: 10, 20, 40 ... 360 minutes after the last time."""
        doublings = min(self.times - 1, 6)
        return now - self.last >= min(_SHORTEST_SPACING * (1 << doublings), _LONGEST_SPACING)

    def again(self, now: datetime) -> "Asked":
        """Return this minute as asked for once more."""
        return Asked(minute=self.minute, times=self.times + 1, last=now)


class PlanState(BaseModel):
    """Where the planner stands with one feed.

    first is the feed's first minute, watermark the last minute published, asked what the sweep has asked for, and
    retried the dead and absent minutes that it has tried once more.
    """

    model_config = ConfigDict(frozen=True)

    first: Minute
    watermark: Minute
    asked: tuple[Asked, ...] = ()
    retried: tuple[Minute, ...] = ()

    @classmethod
    def beginning(cls, watermark: datetime) -> "PlanState":
        """Return the state of a feed of which nothing has been published up to a watermark."""
        return cls(first=watermark + ONE_MINUTE, watermark=watermark)


class StateStore:
    """The state objects in the bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def read(self, feed: str, now: datetime) -> tuple[PlanState | None, int]:
        """Return a feed's state and its generation; None and 0 when there is none.

        Raises Misconfigured for an object that is no state, or one that would have the planner wait for days.
        """
        stored = self._bucket.read(_name(feed))
        if stored is None:
            return None, 0
        try:
            state = PlanState.model_validate_json(stored.data)
        except ValidationError as error:
            raise self._spoilt(feed, f"cannot be read ({problems(error)})") from None
        if state.watermark - now > _A_DAY:
            raise self._spoilt(feed, f"has its watermark at {format_minute(state.watermark)}, more than a day from now")
        return state, stored.generation

    def _spoilt(self, feed: str, how: str) -> Misconfigured:
        return Misconfigured(
            f"{self._bucket.uri(_name(feed))} {how}; delete it and the planner goes on from the ledger"
        )

    def save(self, feed: str, state: PlanState, generation: int) -> bool:
        """Replace the state read at this generation; return False when another run was faster."""
        return self._bucket.replace(_name(feed), state.model_dump_json().encode(), generation)


def _name(feed: str) -> str:
    return f"state/planner/{feed}.json"
