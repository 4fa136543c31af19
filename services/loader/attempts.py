"""Bring a landed object into staging by load jobs, each of which can be started only once.

The id of a job says feed, minute, content and attempt. A redelivery therefore meets the jobs of the deliveries before
it, waits for the one that still runs, and goes on behind those that failed.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.loader.rejects import keep_rejects, read_landed
from shared.feeds.definition import Feed
from shared.messages import MinuteLanded
from shared.outcomes import Retryable
from shared.ports import Bucket
from shared.rejecting import rejects_allowed
from shared.warehouse.staging import LinesKept, LoadEnd, LoadJob, Staging

log = logging.getLogger(__name__)


def job_id(landed: MinuteLanded, attempt: int) -> str:
    """Return the id of a load job: the same for every delivery of the same content."""
    return f"gti-mesh-{landed.feed}-{landed.minute:%Y%m%d%H%M}-{landed.crc32c}-{attempt}"


@dataclass(frozen=True)
class Loaded:
    """A job that brought a minute's lines in, and how many of them BigQuery refused.

    merged counts the rows in history when there is nothing left to merge: the ledger had forgotten the minute.
    """

    job_id: str
    refused: int = 0
    merged: int | None = None


class Attempts:
    """Goes through the attempts at a minute until one has brought its lines in."""

    def __init__(self, *, staging: Staging, bucket: Bucket, now: Callable[[], datetime], deadline: timedelta) -> None:
        self._staging = staging
        self._bucket = bucket
        self._now = now
        self._deadline = deadline

    def bring_in(self, feed: Feed, landed: MinuteLanded) -> Loaded:
        """Load a minute's lines; raise Poison when the object is gone, Retryable when the deadline is.

        Once BigQuery has refused the data, every further attempt may leave bad lines out; they are kept as rejects.
        """
        last_moment = self._now() + self._deadline
        refusal = ""
        attempt = 0
        while True:
            attempt += 1
            job = LoadJob(job_id(landed, attempt), feed, landed.uri, rejects_allowed(landed.lines) if refusal else 0)
            begun = self._staging.begin(job)
            end = self._staging.end(job, seconds=(last_moment - self._now()).total_seconds())
            if end.state == "done":
                kept = None if begun and not job.bad_records else self._staging.lines_kept(feed, landed.minute)
                if begun or (kept and _is_enough(kept, job, landed)):
                    return self._loaded(job, landed, kept, end.message or refusal)
            elif begun and (end.state == "failed" or refusal):
                raise Retryable(f"load job {job.id} {end.state}: {end.message}")
            elif end.state == "refused":
                refusal = self._refused(job, landed, end)

    def _refused(self, job: LoadJob, landed: MinuteLanded, end: LoadEnd) -> str:
        """Return what the server said about the data, once it is clear that there is data."""
        read_landed(self._bucket, landed)
        log.warning("loader.refused: %s: %s", job.id, end.message)
        return end.message or "refused by BigQuery"

    def _loaded(self, job: LoadJob, landed: MinuteLanded, kept: LinesKept | None, refusal: str) -> Loaded:
        if kept is None:
            return Loaded(job.id)
        refused = keep_rejects(self._bucket, landed, kept.all, refusal) if job.bad_records else 0
        return Loaded(job.id, refused, len(kept.merged) if kept.all_merged else None)


def _is_enough(kept: LinesKept, job: LoadJob, landed: MinuteLanded) -> bool:
    """Tell whether the warehouse still has what a job of an earlier delivery brought; a table may be restored."""
    return len(kept.all) > 0 if job.bad_records else len(kept.all) >= landed.lines - landed.rejected
