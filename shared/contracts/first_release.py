"""What the first release wrote without an `error_type`: its dead letters and ledger rows say why in prose alone.

They are kept for 31 days in a subscription and for ever in the ledger. This is the only place that reads prose.
"""

import re

from shared.contracts.outcomes import DeadLetterType

_REASONS: tuple[tuple[str, DeadLetterType], ...] = (
    (r"^attempts spent", "attempts_spent"),
    (r"^the message (has no body|cannot be read)", "invalid_message"),
    (r"^feed .* is not switched on here", "feed_off"),
    (r"^stream .* is not switched on here|^the forwarder is off", "stream_off"),
    (r"^minute .* lies in the future", "minute_in_future"),
    (r"^minute .* is older than the \d+ days", "minute_expired"),
    (r"VirusTotal answered 403 ", "not_licensed"),
    (r"VirusTotal answered 4\d\d ", "request_refused"),
    (r"^source changed: ", "source_changed"),
    (r" is not there any more; delete | is not there; it may have been deleted", "object_missing"),
    (r"^\d+ rejected lines of \d+ cannot be$", "invalid_message"),
    (r" is no landed object of | is no page of | is a page of stream ", "invalid_message"),
    (r"SECOPS_MAX_REQUEST_BYTES", "oversize"),
    (r"^logs:import was answered ", "secops_refused"),
    (r" is no page: | is no JSON: | is page \d+ of stream |^item \d+ of ", "invalid_page"),
)
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), error_type) for pattern, error_type in _REASONS)


def type_of_reason(reason: str) -> DeadLetterType:
    """Return the type of a reason that the first release wrote, or `unknown`."""
    return next((error_type for pattern, error_type in _PATTERNS if pattern.search(reason)), "unknown")
