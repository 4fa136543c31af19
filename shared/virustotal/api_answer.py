"""A small response of the API: its body, and when the source sent it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True)
class ApiAnswer:
    """The body, the time of the source's clock in whole seconds if the response has a valid Date, and its Link."""

    body: bytes
    date: datetime | None = None
    link: str | None = None


def read_date(header: str | None) -> datetime | None:
    """Return the time in a Date header (RFC 9110, 6.6.1), or None for a missing or invalid one."""
    try:
        date = parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return date.astimezone(UTC) if date.tzinfo else None
