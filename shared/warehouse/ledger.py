"""What the ledger can hold."""

from datetime import datetime, timedelta

# insertAll refuses a partition further away than 5 years back or 1 year ahead
# (cloud.google.com/bigquery/docs/streaming-data-into-bigquery); no feed minute lies in the future.
_OLDEST = timedelta(days=5 * 365)


def ledger_holds(minute: datetime, now: datetime) -> bool:
    """Tell whether the ledger takes a row about this minute."""
    return now - _OLDEST <= minute <= now
