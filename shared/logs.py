"""Logs: one JSON object a line for Cloud Logging, or plain lines for a terminal; context is added, not passed around.

Field names are Cloud Logging's own (cloud.google.com/logging/docs/structured-logging).
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Literal

from stamina.instrumentation import RetryDetails, set_on_retry_hooks

from shared.trace import trace_id

LogFormat = Literal["json", "text"]

log = logging.getLogger(__name__)

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
    """Write a record as Cloud Logging reads it from a container's standard error.

    A record's `figures` (a dict, by `extra`) become fields, zeros included: log-based metrics read them.
    """

    def __init__(self, project: str) -> None:
        super().__init__()
        self.project = project

    def format(self, record: logging.LogRecord) -> str:
        """Return one JSON line."""
        line: dict[str, object] = {
            "severity": record.levelname,
            "message": record.getMessage(),
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "logger": record.name,
            **_context.get(),
            **getattr(record, "figures", _EMPTY),
        }
        if trace := trace_id():
            line["logging.googleapis.com/trace"] = f"projects/{self.project}/traces/{trace}"
        if record.exc_info:
            line["stack_trace"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """Write a record for a reader at a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line, and the stack below it when there is one."""
        context = " ".join(f"{name}={value}" for name, value in _context.get().items())
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        line = f"{moment} {record.levelname:<7} {record.getMessage()}  {context}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def configure_logging(*, project: str, log_format: LogFormat) -> None:
    """Send everything from INFO up to standard error in the given format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(project) if log_format == "json" else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    # stamina would write in structlog's own format wherever that happens to be installed.
    set_on_retry_hooks([_log_retry])
    # Each chunk of an upload and each connection would be a line.
    for noisy in ("urllib3", "google", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _log_retry(details: RetryDetails) -> None:
    log.warning("retry.waiting: %.1f s after %s", details.wait_for, details.caused_by)
