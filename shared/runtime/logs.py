"""Logs: one JSON object per line for Cloud Logging, or plain lines for a terminal, with fields from a log context.

Field names are Cloud Logging's own (cloud.google.com/logging/docs/structured-logging).
"""

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from shared.runtime.foreign_text import visible
from shared.runtime.tracing import trace_id

LogFormat = Literal["json", "text"]

log = logging.getLogger(__name__)

_OWN = frozenset({"services", "shared"})
_EVENT = re.compile(r"([a-z]+\.[a-z_]+)(?=:|$)")
_EMPTY: dict[str, object] = {}
_context: ContextVar[dict[str, object]] = ContextVar("log_context", default=_EMPTY)


@contextmanager
def log_context(**fields: object) -> Iterator[None]:
    """Add fields to every log line written inside the block; empty ones are left out."""
    known = {name: value for name, value in fields.items() if value not in (None, "", 0)}
    token = _context.set({**_context.get(), **known})
    try:
        yield
    finally:
        _context.reset(token)


class JsonFormatter(logging.Formatter):
    """Formats records as Cloud Logging expects them on a container's standard error.

    `event` is the name at the start of the message in the code, such as `planner.sweep`; the text after the colon is
    for people. A record's `fields` (a dict, passed in `extra`) become fields, including zeros. Log-based metrics read
    fields, never text.
    """

    def __init__(self, project: str) -> None:
        super().__init__()
        self.project = project

    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON line."""
        line: dict[str, object] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            **_event(record),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            **_context.get(),
            **getattr(record, "fields", _EMPTY),
        }
        if trace := trace_id():
            line["logging.googleapis.com/trace"] = f"projects/{self.project}/traces/{trace}"
        if record.exc_info:
            line["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _event(record: logging.LogRecord) -> dict[str, object]:
    # The message before formatting, so that foreign text cannot set the event name.
    named = _EVENT.match(record.msg) if isinstance(record.msg, str) else None
    return {"event": named[1]} if named and record.name.partition(".")[0] in _OWN else {}


class TextFormatter(logging.Formatter):
    """Formats records for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, followed by the traceback if there is one."""
        context = " ".join(f"{name}={visible(str(value))}" for name, value in _context.get().items())
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        line = f"{moment} {record.levelname:<7} {visible(record.getMessage())}  {context}".rstrip()
        if not record.exc_info:
            return line
        return "\n".join((line, *map(visible, self.formatException(record.exc_info).split("\n"))))


def configure_logging(*, project: str, log_format: LogFormat, level: int = logging.INFO) -> None:
    """Send everything from a level up to standard error in the given format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(project) if log_format == "json" else TextFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # stamina would log in structlog's format if that is installed.
    set_on_retry_hooks([_log_retry])
    # Otherwise each chunk of an upload and each connection would be logged.
    for noisy in ("urllib3", "google", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _log_retry(details: RetryDetails) -> None:
    log.warning("retry.waiting: %.1f s after %s", details.wait_for, details.caused_by)
