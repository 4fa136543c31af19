"""Ask for a range of minutes on demand."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from shared.asking import BadRangeError, ask, replay_range
from shared.messages import Name
from shared.minutes import Minute
from shared.ports import Bucket, Publisher


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
        self, *, feeds: Collection[str], bucket: Bucket, publisher: Publisher, now: Callable[[], datetime]
    ) -> None:
        self._feeds = feeds
        self._bucket = bucket
        self._publisher = publisher
        self._now = now

    def replay(self, request: ReplayRequest) -> int:
        """Publish a range and return its number of minutes; raise BadRangeError when it cannot be asked for."""
        if request.feed not in self._feeds:
            raise BadRangeError(
                f"feed {request.feed!r} is not switched on; FEEDS has: {', '.join(self._feeds) or 'none'}"
            )
        minutes = replay_range(request.feed, request.first, request.last, now=self._now(), bucket=lambda: self._bucket)
        return ask(self._publisher, request.feed, minutes, reason="replay", force=request.force)
