"""Errors of the warehouse."""

from shared.contracts.outcomes import Retryable


class ConcurrentUpdate(Retryable):
    """Another statement changed the same table, and BigQuery cancelled this transaction; it can be run again."""


class RateLimited(Retryable):
    """BigQuery's rate limit of table changes or calls was exceeded; retry after some seconds."""
