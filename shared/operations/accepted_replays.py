"""Accepted replays: what an operator asked for, recorded before its minutes are published.

One object per replay, `state/replays/<feed>/<time>-<random>.json`, is created and never changed. Its minutes count as
due from then on, wherever they lie: `gaps`, `status`, `audit` and the sweep read them here, and the sweep copies them
into the ledger. The sweep deletes a replay once each of its minutes is merged, absent, or dead and past the source's
retention.
"""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Annotated
from uuid import uuid4

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.contracts.interfaces import Bucket
from shared.contracts.minutes import ONE_MINUTE, Minute, minutes_between
from shared.contracts.outcomes import Misconfigured, Retryable
from shared.contracts.stored_objects import read_stored

log = logging.getLogger(__name__)


class MinuteRange(BaseModel):
    """Consecutive minutes, both ends included."""

    model_config = ConfigDict(frozen=True)

    first: Minute
    last: Minute


class AcceptedReplay(BaseModel):
    """The minutes of one replay of a feed, and when it was accepted."""

    model_config = ConfigDict(frozen=True)

    ranges: Annotated[tuple[MinuteRange, ...], Field(min_length=1)]
    at: AwareDatetime

    @property
    def first(self) -> datetime:
        """The oldest minute."""
        return min(one.first for one in self.ranges)

    @property
    def last(self) -> datetime:
        """The newest minute."""
        return max(one.last for one in self.ranges)

    def minutes(self) -> Iterator[datetime]:
        """Yield every minute."""
        for one in self.ranges:
            yield from minutes_between(one.first, one.last)


@dataclass(frozen=True)
class OpenReplays:
    """A feed's replays that are not finished, by the names of their objects, and what is wrong with the others."""

    replays: dict[str, AcceptedReplay]
    damaged: tuple[str, ...] = ()

    def minutes(self) -> dict[datetime, datetime]:
        """Return each minute and when it was last requested."""
        accepted = sorted(self.replays.values(), key=lambda replay: replay.at)
        return {minute: replay.at for replay in accepted for minute in replay.minutes()}

    def reach(self, first: datetime, last: datetime) -> tuple[datetime, datetime]:
        """Return the range widened to all minutes of the replays."""
        replays = self.replays.values()
        return min([first, *(one.first for one in replays)]), max([last, *(one.last for one in replays)])


class AcceptedReplays:
    """The replays in the bucket."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def accept(self, feed: str, minutes: Iterable[datetime], now: datetime) -> None:
        """Record a replay; nothing if it has no minutes."""
        ranges = tuple(_ranges(minutes))
        if not ranges:
            return
        name = f"{_folder(feed)}{now:%Y%m%dT%H%M%S}-{uuid4().hex[:12]}.json"
        if not self._bucket.create(name, AcceptedReplay(ranges=ranges, at=now).model_dump_json().encode()):
            raise Retryable(f"{self._bucket.uri(name)} exists already; run the replay again")

    def read(self, feed: str) -> OpenReplays:
        """Return a feed's open replays; an unreadable object does not hide the others."""
        found: dict[str, AcceptedReplay] = {}
        damaged = []
        for name in self._bucket.names(_folder(feed)):
            try:
                replay, _ = read_stored(self._bucket, name, AcceptedReplay, remedy="delete it and run the replay again")
            except Misconfigured as error:
                log.error("replays.unreadable: %s", error)
                damaged.append(str(error))
                continue
            if replay:
                found[name] = replay
        return OpenReplays(found, tuple(damaged))

    def close(self, name: str) -> None:
        """Delete a finished replay."""
        self._bucket.delete(name)


def _ranges(minutes: Iterable[datetime]) -> Iterator[MinuteRange]:
    # In a range, minute minus index is constant.
    runs = groupby(enumerate(sorted(set(minutes))), lambda placed: placed[1] - placed[0] * ONE_MINUTE)
    for _, run in runs:
        found = [minute for _, minute in run]
        yield MinuteRange(first=found[0], last=found[-1])


def _folder(feed: str) -> str:
    return f"state/replays/{feed}/"
