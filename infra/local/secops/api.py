"""Answers `POST /{version}/projects/.../logTypes/{type}/logs:import`, and the method that runs a parser."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from infra.local.secops.faults import FaultBook, Rule
from infra.local.secops.journal import Journal
from infra.local.secops.requests import BadImportError, read_import
from infra.local.secops.store import Burst, Store
from infra.local.web import Answer, Request, Route, Wire, json_answer, route

# What clients of the real service take for its default.
LARGEST_REQUEST = 4_000_000

_INSTANCE = r"/(?P<version>v1|v1alpha|v1beta)/projects/[^/]+/locations/[a-z0-9_-]+/instances/[0-9a-fA-F-]+"
_LOG_TYPE = _INSTANCE + r"/logTypes/(?P<log_type>[A-Z][A-Z0-9_]*)"


class SecOps:
    """One simulated instance."""

    def __init__(self, *, keep: int, journal: Path | None = None, pause: Callable[[float], None] = time.sleep) -> None:
        self.store = Store(keep, Journal(journal))
        self.faults = FaultBook()
        self.burst = Burst()
        self.largest_request = LARGEST_REQUEST
        self._pause = pause

    def reset(self) -> None:
        """Come back to the state at the start."""
        self.store.clear()
        self.faults.replace(())
        self.burst.set(None, 300.0)
        self.largest_request = LARGEST_REQUEST

    def routes(self) -> list[Route]:
        """Return the routes of the API."""
        return [
            route("POST", f"{_LOG_TYPE}/logs:import", self.import_logs),
            route("POST", f"{_LOG_TYPE}:runParser", self.run_parser),
        ]

    def import_logs(self, request: Request, version: str, log_type: str) -> Answer:
        """Answer one request."""
        del version
        rule = self.faults.fire()
        answer = self._faulty(rule, request, log_type) if rule else self._import(request, log_type)
        self.store.count(0 if answer.wire.reset else answer.status)
        return answer

    def run_parser(self, request: Request, version: str, log_type: str) -> Answer:
        """Answer that every log was parsed into one event; no parser runs here."""
        del version, log_type
        try:
            logs = json.loads(request.body)["log"]
        except (ValueError, LookupError, TypeError):
            return error(400, "INVALID_ARGUMENT", "log is required")
        return json_answer(200, {"runParserResults": [{"parsedEvents": {"events": [{}]}} for _ in logs]})

    def _import(self, request: Request, log_type: str) -> Answer:
        size = len(request.body)
        if size > self.largest_request:
            limit = f"Request payload size exceeds the limit: {self.largest_request} bytes."
            return error(400, "INVALID_ARGUMENT", limit)
        try:
            logs = read_import(request.body)
        except BadImportError as refused:
            return error(400, "INVALID_ARGUMENT", str(refused))
        if not self.burst.take(size):
            return error(429, "RESOURCE_EXHAUSTED", "Burst limit exceeded. Try again in five minutes.")
        self.store.accept(log_type, logs, request.body)
        return json_answer(200, {})

    def _faulty(self, rule: Rule, request: Request, log_type: str) -> Answer:
        if rule.kind == "slow":
            self._pause(rule.seconds)
        if rule.kind not in _ACCEPTING:
            return _refusal(rule)
        answer = self._import(request, log_type)
        if rule.kind == "late_answer":
            self._pause(rule.seconds)
        return _BROKEN if rule.kind == "lost_answer" else answer


_ACCEPTING = ("slow", "late_answer", "lost_answer")
_BROKEN = Answer(200, b"{}", wire=Wire(stop_after=0, reset=True))


def _refusal(rule: Rule) -> Answer:
    match rule.kind:
        case "reset":
            return _BROKEN
        case "rate_limited":
            headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
            return error(429, "RESOURCE_EXHAUSTED", "Burst limit exceeded. Try again in five minutes.", headers)
        case "not_json":
            return Answer(502, b"<html>Bad gateway</html>", {"Content-Type": "text/html"})
        case "redirect":
            return Answer(302, headers={"Location": "/healthz"})
    return error(*_ERRORS[rule.kind])


_ERRORS = {
    "unavailable": (503, "UNAVAILABLE", "The service is currently unavailable."),
    "internal": (500, "INTERNAL", "Internal error encountered."),
    "unauthorized": (401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "forbidden": (403, "PERMISSION_DENIED", "Permission 'chronicle.logs.import' denied on resource"),
    "not_found": (404, "NOT_FOUND", "log type not found"),
    "bad_request": (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
}


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """Return an error as Google's APIs write it."""
    return json_answer(status, {"error": {"code": status, "message": message, "status": code}}, headers)
