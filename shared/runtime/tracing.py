"""Trace context: one W3C traceparent travels with a minute, as an attribute, from the planner to the loader.

Form: `00-<trace id>-<parent id>-<flags>` (w3.org/TR/trace-context). Cloud Run sets one on every request, but a push
starts a new trace, so the message's own traceparent takes precedence.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

TRACEPARENT = "traceparent"

_FORM = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_current: ContextVar[str | None] = ContextVar("traceparent", default=None)


@contextmanager
def traced(*offered: str | None) -> Iterator[None]:
    """Use the first valid traceparent inside the block, or else a new trace."""
    token = _current.set(next((one for one in offered if one and _FORM.fullmatch(one)), None) or _begin())
    try:
        yield
    finally:
        _current.reset(token)


def traceparent() -> str | None:
    """Return this thread's traceparent."""
    return _current.get()


def trace_id() -> str | None:
    """Return this thread's trace id."""
    current = _current.get()
    return current.split("-")[1] if current else None


def _begin() -> str:
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
