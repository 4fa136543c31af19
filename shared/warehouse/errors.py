"""What can go wrong in the warehouse and is worth a name of its own."""

from shared.outcomes import Retryable


class ConcurrentUpdate(Retryable):
    """Another statement changed the same table, and BigQuery cancelled this transaction; it may simply run again."""
