"""Staging as the loader sees it: load jobs with ids of their own, and which lines of a minute the warehouse has."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from shared.feeds.definition import Feed


@dataclass(frozen=True)
class LoadJob:
    """One load of one object into a feed's staging table; up to bad_records of its lines may be left out."""

    id: str
    feed: Feed
    uri: str
    bad_records: int = 0


@dataclass(frozen=True)
class LoadEnd:
    """How a load job ended, and what the server said.

    A load is all or nothing. `refused` means that the server found fault with the data or did not find it; `failed`
    that something else went wrong. Either way the job's id is used up.
    """

    state: Literal["done", "refused", "failed"]
    message: str = ""


@dataclass(frozen=True)
class LinesKept:
    """The line numbers of a minute that staging or history holds, and those of them that history has."""

    all: frozenset[int]
    merged: frozenset[int]

    @property
    def all_merged(self) -> bool:
        """Whether there is nothing left for a merge to do."""
        return self.all == self.merged


class Staging(Protocol):
    """Appends landed minutes to the staging tables."""

    def begin(self, job: LoadJob) -> bool:
        """Start a load job; return False when a job of this id has been started before, however it went on."""

    def end(self, job: LoadJob, *, seconds: float) -> LoadEnd:
        """Wait for a job and say how it ended; raise Retryable when it runs on after this many seconds."""

    def lines_kept(self, feed: Feed, minute: datetime) -> LinesKept:
        """Return the lines of a minute that the warehouse holds."""
