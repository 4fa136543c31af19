"""HTTP requests to other services: one session per thread, and one retry policy.

In-call retries live here and nowhere else: at most 30 seconds for one request, then Pub/Sub redelivers the message.
"""

import threading
from collections.abc import Callable
from typing import TypeVar

import requests
import stamina
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from shared.contracts.outcomes import RETRY_SECONDS, TransientError

# Connect timeout and read timeout, in seconds.
TIMEOUT = (10.0, 60.0)
_MAX_ATTEMPTS = 4
# A longer Retry-After is left to Pub/Sub: waiting for minutes inside a push would occupy an instance.
_MAX_WAIT_SECONDS = RETRY_SECONDS / 2

T = TypeVar("T")


class SessionPerThread:
    """Gives each thread a session of its own: requests does not promise that threads may share one."""

    def __init__(self, new: Callable[[], requests.Session]) -> None:
        self._new = new
        self._local = threading.local()

    def __call__(self) -> requests.Session:
        """Return this thread's session."""
        session: requests.Session | None = getattr(self._local, "session", None)
        if session is None:
            session = self._local.session = self._new()
        return session


def with_retries(request: Callable[[], T]) -> T:
    """Call `request`; retry on TransientError until the attempts or the time are used up."""
    attempts = stamina.retry_context(
        on=_is_worth_another_try, attempts=_MAX_ATTEMPTS, timeout=RETRY_SECONDS, wait_initial=0.5
    )
    for attempt in attempts:
        with attempt:
            return request()
    raise AssertionError("stamina ends with a result or an exception")


def _is_worth_another_try(error: Exception) -> bool | float:
    if not isinstance(error, TransientError):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= _MAX_WAIT_SECONDS else False


def retry_after(answer: requests.Response) -> float | None:
    """Return a response's Retry-After (seconds or an HTTP date) in seconds; None if it is missing or unreadable."""
    try:
        return Retry().parse_retry_after(answer.headers.get("Retry-After", ""))
    except (InvalidHeader, ValueError, OverflowError):
        return None
