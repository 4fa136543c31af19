"""Load a landed object into staging with load jobs, each of which can be started only once.

A job's id consists of feed, minute, content and attempt. A redelivery therefore finds the jobs of earlier deliveries,
waits for one that still runs, and continues after those that failed: objects next to the landed one record the failed
attempts, so that the hundredth delivery needs no more calls than the third.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.loader.failed_attempts import FailedAttempts, FailedAttemptsStore
from services.loader.rate_limit import RateLimit
from services.loader.rejects import check_landed, keep_rejects
from shared.contracts.interfaces import Bucket
from shared.contracts.messages import MinuteLanded
from shared.contracts.outcomes import Retryable
from shared.contracts.reject_policy import rejects_allowed
from shared.feeds.definition import Feed
from shared.warehouse.retry_until import RetryUntil
from shared.warehouse.staging import LinesKept, LoadEnd, LoadJob, Staging

log = logging.getLogger(__name__)


def job_id(landed: MinuteLanded, attempt: int) -> str:
    """Return the id of a load job: the same for every delivery of the same content."""
    return f"gti-mesh-{landed.feed}-{landed.minute:%Y%m%d%H%M}-{landed.crc32c}-{attempt}"


@dataclass(frozen=True)
class LoadResult:
    """A job that loaded a minute's lines, and how many of them BigQuery rejected.

    merged is the number of rows in history if nothing is left to merge, because the ledger had lost the minute.
    """

    job_id: str
    refused: int = 0
    merged: int | None = None


class Attempts:
    """Makes load attempts for a minute until one has loaded its lines."""

    def __init__(
        self,
        *,
        staging: Staging,
        bucket: Bucket,
        now: Callable[[], datetime],
        deadline: timedelta,
        pace: RateLimit,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._staging = staging
        self._bucket = bucket
        self._store = FailedAttemptsStore(bucket)
        self._now = now
        self._deadline = deadline
        self._pace = pace
        self._pause = pause

    def bring_in(self, feed: Feed, landed: MinuteLanded) -> LoadResult:
        """Load a minute's lines; raise Poison if the object is gone, Retryable at the deadline.

        Once BigQuery has refused the data, every further attempt may skip bad lines; they are kept as rejects.
        """
        last_moment = self._now() + self._deadline
        patience = RetryUntil(last_moment, now=self._now, pause=self._pause)
        tried = FailedAttempts()
        while True:
            job = _next_job(feed, landed, tried)
            begun = patience.repeat(lambda job=job: self._begin(job, last_moment))  # type: ignore[misc]
            if not begun and not tried.attempts and (known := self._store.read(landed)):
                tried = known
                continue
            end = self._staging.end(job, seconds=(last_moment - self._now()).total_seconds())
            if end.state == "done" and (loaded := self._accounted(job, landed, end, tried, begun=begun)):
                return loaded
            tried = self._failed(job, landed, end, tried)
            if begun and not self._may_go_on(end, tried, patience):
                raise Retryable(
                    f"load job {job.id} {end.state}: {end.message}", error_type="quota_spent" if end.quota else None
                )

    def _begin(self, job: LoadJob, last_moment: datetime) -> bool:
        self._pace.wait(job.feed.name, last_moment)
        return self._staging.begin(job)

    def _accounted(
        self, job: LoadJob, landed: MinuteLanded, end: LoadEnd, tried: FailedAttempts, *, begun: bool
    ) -> LoadResult | None:
        """Return the result of a job; None for an earlier job whose lines are no longer in the warehouse."""
        kept = None if begun and not job.bad_records else self._staging.lines_kept(job.feed, landed.minute)
        if kept is None:
            return LoadResult(job.id)
        if not begun and not _is_enough(kept, job, landed):
            return None
        refused = keep_rejects(self._bucket, landed, kept.all, end.message or tried.refusal) if job.bad_records else 0
        return LoadResult(job.id, refused, len(kept.merged) if kept.all_merged else None)

    def _failed(self, job: LoadJob, landed: MinuteLanded, end: LoadEnd, tried: FailedAttempts) -> FailedAttempts:
        """Record a failed attempt, and the server's message about the data."""
        refusal = tried.refusal
        if end.state == "refused":
            check_landed(self._bucket, landed)
            log.warning("loader.refused: %s: %s", job.id, end.message)
            refusal = end.message or "refused by BigQuery"
        failed = FailedAttempts(attempts=tried.attempts + 1, refusal=refusal, lenient=bool(tried.refusal))
        self._store.save(landed, failed)
        return failed

    def _may_go_on(self, end: LoadEnd, tried: FailedAttempts, patience: RetryUntil) -> bool:
        """Return whether to try again in this delivery: once without bad lines, or after a rate limit."""
        return patience.wait() if end.state == "limited" else end.state == "refused" and not tried.lenient


def _next_job(feed: Feed, landed: MinuteLanded, tried: FailedAttempts) -> LoadJob:
    allowed = rejects_allowed(landed.lines) if tried.refusal else 0
    return LoadJob(job_id(landed, tried.attempts + 1), feed, landed.uri, allowed)


def _is_enough(kept: LinesKept, job: LoadJob, landed: MinuteLanded) -> bool:
    """Return whether the lines of an earlier job are still in the warehouse; a table may have been restored."""
    return len(kept.all) > 0 if job.bad_records else len(kept.all) >= landed.lines - landed.rejected
