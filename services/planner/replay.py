"""Request a range of minutes on demand."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.interfaces import Bucket, HistoryReader, Publisher
from shared.contracts.messages import Name
from shared.contracts.minute_requests import ask, replay_range
from shared.contracts.minutes import Minute, Period
from shared.feeds.definition import period_of
from shared.feeds.switched_on import require_switched_on
from shared.operations.accepted_replays import AcceptedReplays


class ReplayRequest(BaseModel):
    """A range of minutes of one feed, both ends inclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    feed: Name
    first: Minute
    last: Minute
    force: Annotated[bool, Field(strict=True)] = False


class Replayer:
    """Publishes ranges."""

    def __init__(
        self,
        *,
        feeds: Collection[str],
        bucket: Bucket,
        publisher: Publisher,
        history: Callable[[], HistoryReader],
        now: Callable[[], datetime],
        period: Callable[[str], Period] = period_of,
    ) -> None:
        self._feeds = feeds
        self._bucket = bucket
        self._publisher = publisher
        self._history = history
        self._now = now
        self._period = period

    def replay(self, request: ReplayRequest) -> int:
        """Record and publish a range, and return its number of minutes.

        Raises BadRangeError or NotSwitchedOn for a wrong one.
        """
        require_switched_on("feed", request.feed, self._feeds)
        minutes = replay_range(
            request.feed,
            request.first,
            request.last,
            now=self._now(),
            bucket=lambda: self._bucket,
            history_days=lambda: self._history().days(request.feed),
            period=self._period(request.feed),
        )
        AcceptedReplays(self._bucket).accept(request.feed, minutes, self._now())
        return ask(self._publisher, request.feed, minutes, reason="replay", force=request.force)
