"""The three outcomes of a message: return (ack), raise (redeliver, then dead-letter), Poison (recorded, then acked).

Every failure has an `error_type` from a closed list and a text. Programs, log filters, alarms and the status page read
the type; the text is for people and is never parsed.
"""

from typing import Literal, get_args

DeadLetterType = Literal[
    # No service decided: Pub/Sub gave up after the maximum number of deliveries.
    "attempts_spent",
    # About the message itself; its ledger row has no minute.
    "invalid_message",
    "feed_off",
    "stream_off",
    # About a minute.
    "minute_in_future",
    "minute_expired",
    "request_refused",
    "source_changed",
    "object_missing",
    # About a page of a stream.
    "invalid_page",
    "secops_refused",
    "oversize",
    # Written by the first release only: now a condition of the feed (shared.operations.feed_conditions).
    "not_licensed",
    # Never written: stands for a dead letter whose reason this revision does not know.
    "unknown",
]
"""Why a message was dead-lettered. Types are added, never renamed: the ledger keeps them."""

_Passing = Literal["trouble", "quota_spent", "key_refused", "misconfigured", "pass_too_long"]
ErrorType = DeadLetterType | _Passing
"""Why something failed, including failures that are retried."""

DEAD_LETTER_TYPES: frozenset[str] = frozenset(get_args(DeadLetterType))
ERROR_TYPES: frozenset[str] = DEAD_LETTER_TYPES | frozenset(get_args(_Passing))

# A request is retried for this long within a call; then the message is nacked and Pub/Sub's backoff takes over.
RETRY_SECONDS = 30.0


class MeshError(Exception):
    """The base of this project's errors; the text names the thing, the value and the remedy."""

    error_type: ErrorType = "trouble"


class Poison(MeshError):
    """The message can never succeed; it goes to the dead-letter topic with type and reason, and is acked."""

    error_type: DeadLetterType

    def __init__(self, error_type: DeadLetterType, reason: str) -> None:
        super().__init__(reason)
        self.error_type = error_type
        self.reason = reason


class Retryable(MeshError):
    """The source or the cloud failed temporarily; Pub/Sub redelivers the message with backoff."""

    def __init__(self, text: str, *, error_type: ErrorType | None = None) -> None:
        super().__init__(text)
        if error_type:
            self.error_type = error_type


class TransientError(Retryable):
    """Another service or the network failed temporarily; retry_after is the requested wait in seconds, if any."""

    def __init__(self, text: str, retry_after: float | None = None, *, error_type: ErrorType | None = None) -> None:
        super().__init__(text, error_type=error_type)
        self.retry_after = retry_after


class Misconfigured(MeshError):
    """A setting, a credential or a resource is wrong; an operator has to act before anything can succeed."""

    error_type = "misconfigured"
