"""The minutes that the ledger accepts, and the content that its rows name."""

import re
from datetime import datetime, timedelta

# insertAll refuses a partition further away than 5 years back or 1 year ahead
# (cloud.google.com/bigquery/docs/streaming-data-into-bigquery); no feed minute is in the future.
_OLDEST = timedelta(days=5 * 365)
_JOB = re.compile(r"gti-mesh-.*-([0-9a-f]{8})-\d+", re.ASCII)


def ledger_holds(minute: datetime, now: datetime) -> bool:
    """Return whether the ledger accepts a row about this minute."""
    return now - _OLDEST <= minute <= now


def content_of(crc32c: str | None, job_id: str | None) -> str | None:
    """Return the CRC32C of a minute's content; rows of the first release have it in the load job's id only."""
    job = _JOB.fullmatch(job_id or "")
    return crc32c or (job[1] if job else None)
