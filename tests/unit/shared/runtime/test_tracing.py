"""A trace is passed from request to message to log line."""

import json
import logging

import pytest

from shared.runtime.logs import JsonFormatter
from shared.runtime.tracing import traced, traceparent

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def line() -> dict[str, object]:
    """Return a log line in Cloud Logging's format."""
    record = logging.LogRecord("test", logging.INFO, __file__, 1, "said", None, None)
    written: dict[str, object] = json.loads(JsonFormatter("my-project").format(record))
    return written


def test_the_first_trace_that_is_offered_is_taken() -> None:
    """The message's trace takes precedence over the request's; both may be missing."""
    with traced(None, GIVEN):
        assert traceparent() == GIVEN
        assert line()["logging.googleapis.com/trace"] == "projects/my-project/traces/0af7651916cd43dd8448eb211c80319c"
    assert traceparent() is None
    assert "logging.googleapis.com/trace" not in line()


@pytest.mark.parametrize(
    "offered", [None, "", "x", GIVEN.upper(), f"{GIVEN}\n", f"00-{'0' * 32}-b7ad6b7169203331-01", f"01{GIVEN[2:]}"]
)
def test_what_is_no_trace_begins_a_new_one(offered: str | None) -> None:
    """An invalid attribute of a third party is never logged as a trace."""
    with traced(offered):
        begun = traceparent()
    assert begun
    assert begun != offered
    with traced(begun):
        assert traceparent() == begun
