"""One retry policy for all HTTP requests, and a session per thread."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Barrier

import pytest
import requests
import stamina

from shared.contracts.outcomes import Misconfigured, Retryable, TransientError
from shared.runtime.http_requests import SessionPerThread, retry_after, with_retries
from tests.support.waiting import PATIENCE


class Request:
    """A request that fails with these errors in turn, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.sent = 0

    def __call__(self) -> str:
        """Send the request."""
        self.sent += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


def test_trouble_is_tried_again() -> None:
    """A transient error is retried up to four attempts."""
    request = Request(*[TransientError("503")] * 3)
    with stamina.set_testing(True, attempts=4):
        assert with_retries(request) == "answer"
    assert request.sent == 4


@pytest.mark.parametrize("error", [Misconfigured("no key"), Retryable("the key was refused"), ValueError("a bug")])
def test_nothing_but_trouble_is_tried_again(error: Exception) -> None:
    """Other errors are raised at once."""
    request = Request(error)
    with stamina.set_testing(True, attempts=4), pytest.raises(type(error)):
        with_retries(request)
    assert request.sent == 1


@pytest.mark.parametrize(("seconds", "sent"), [(0, 2), (15, 2), (15.1, 1), (float("inf"), 1)])
def test_a_long_wait_is_left_to_pubsub(seconds: float, sent: int) -> None:
    """A wait of up to half of the in-call seconds is obeyed, a longer one is a nack."""
    request = Request(TransientError("429", seconds), TransientError("400", 300))
    with stamina.set_testing(True, attempts=4), pytest.raises(TransientError):
        with_retries(request)
    assert request.sent == sent


def test_threads_have_sessions_of_their_own() -> None:
    """Each thread has one session, always the same."""
    sessions = SessionPerThread(requests.Session)
    together = Barrier(4)

    def twice(_: int) -> tuple[int, int]:
        together.wait(PATIENCE)
        return id(sessions()), id(sessions())

    with ThreadPoolExecutor(max_workers=4) as pool:
        seen = list(pool.map(twice, range(4)))
    assert all(first == second for first, second in seen)
    assert len({first for first, _ in seen}) == 4


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("Sat, 21 Nov 2020 11:00:00 GMT", 0),
        ("soon", None),
        ("-3", None),
        ("\u00b2", None),
        ("9" * 5000, None),
        ("Fri, 21 Nov 99999999999999999999 12:00:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_both_forms_of_retry_after_are_read(header: str | None, seconds: float | None) -> None:
    """Seconds and HTTP dates are parsed; a date in the past means 0, an unreadable header means None."""
    assert retry_after(answer_with(header)) == seconds


def test_a_date_in_retry_after_is_read() -> None:
    """An HTTP date is a wait from now on."""
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    wait = retry_after(answer_with(format_datetime(in_an_hour, usegmt=True)))
    assert wait == pytest.approx(3600, abs=60)


def answer_with(header: str | None) -> requests.Response:
    """Return a response with this Retry-After."""
    answer = requests.Response()
    if header is not None:
        answer.headers["Retry-After"] = header
    return answer
