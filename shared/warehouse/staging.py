"""Staging as the loader sees it: load jobs with chosen ids, and which lines of a minute are in the warehouse."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from shared.feeds.definition import Feed


@dataclass(frozen=True)
class LoadJob:
    """One load of one object into a feed's staging table; up to bad_records bad lines are skipped."""

    id: str
    feed: Feed
    uri: str
    bad_records: int = 0


@dataclass(frozen=True)
class LoadEnd:
    """How a load job ended, and the server's message.

    A load is atomic. `refused` means that the server rejected the data or did not find it; `limited` that too many
    loads changed the table within some seconds; `failed` that something else went wrong, `quota` that a quota was used
    up. In all of these the job's id is used up.
    """

    state: Literal["done", "refused", "limited", "failed"]
    message: str = ""
    quota: bool = False


@dataclass(frozen=True)
class LinesKept:
    """The line numbers of a minute that staging or history holds, and those of them that history has."""

    all: frozenset[int]
    merged: frozenset[int]

    @property
    def all_merged(self) -> bool:
        """Whether all lines are already merged."""
        return self.all == self.merged


class Staging(Protocol):
    """Appends landed minutes to the staging tables."""

    def begin(self, job: LoadJob) -> bool:
        """Start a load job; return False if a job with this id was started before, whatever its outcome.

        Raises RateLimited if it may not start yet; its id is then still free.
        """

    def end(self, job: LoadJob, *, seconds: float) -> LoadEnd:
        """Wait for a job and return how it ended; raise Retryable if it still runs after this many seconds."""

    def history_days(self, feed: Feed) -> int | None:
        """Return the partition expiry of history in days; None if it never expires."""

    def lines_kept(self, feed: Feed, minute: datetime) -> LinesKept:
        """Return the line numbers of a minute that are in the warehouse."""
