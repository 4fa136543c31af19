"""Handles `POST /{version}/projects/.../logTypes/{type}/logs:import`, and the other calls that clients make."""

import gzip
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from infra.local.faults.rules import FaultBook
from infra.local.secops.errors import BROKEN, burst, error, refusal, too_large
from infra.local.secops.faults import ACCEPTING, LOSSES, REFUSALS, Method, Rule
from infra.local.secops.journal import Journal
from infra.local.secops.parser_runs import run_parser_request
from infra.local.secops.requests import BadImportError, Source, read_import
from infra.local.secops.store import Burst, Store, log_key
from infra.local.secops.tenant import Tenant
from infra.local.web import Answer, Request, Route, json_answer, route

# The default that clients of the real service assume.
MAX_REQUEST_BYTES = 4_000_000

_INSTANCE = r"/(?:v1|v1alpha|v1beta)/projects/[^/]+/locations/[a-z0-9_-]+/instances/[0-9a-fA-F-]+"
_LOG_TYPE = _INSTANCE + r"/logTypes/(?P<log_type>[A-Z][A-Z0-9_]*)"


class Limits(BaseModel):
    """The largest request in bytes and logs (None: no limit), the status for a larger one, and the burst limit.

    A tenant's limits can be smaller than those that a client assumes. The burst limit counts bytes in a window.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_request_bytes: int = Field(default=MAX_REQUEST_BYTES, ge=1)
    max_logs: int | None = Field(default=None, ge=1)
    status: Literal[400, 413] = 400
    burst_bytes: int | None = Field(default=None, ge=0)
    burst_seconds: float = Field(default=300.0, gt=0)


class SecOps:
    """One simulated instance."""

    def __init__(self, *, keep: int, journal: Path | None = None, pause: Callable[[float], None] = time.sleep) -> None:
        self.store = Store(keep, Journal(journal))
        self.tenant = Tenant(self.store)
        self.faults: FaultBook[Rule] = FaultBook()
        self.burst = Burst()
        self._pause = pause
        self.set_limits(Limits())

    def reset(self) -> None:
        """Reset to the initial state."""
        self.store.clear()
        self.tenant.reset()
        self.faults.replace(())
        self.set_limits(Limits())

    def set_limits(self, limits: Limits) -> None:
        """Set these limits."""
        self._limits = limits
        self.burst.set(limits.burst_bytes, limits.burst_seconds)

    def routes(self) -> list[Route]:
        """Return the routes of the API."""
        tenant, guard = self.tenant, self._guard
        return [
            route("POST", f"{_LOG_TYPE}/logs:import", self.import_logs),
            route("POST", f"{_LOG_TYPE}:runParser", guard("parsers", self.run_parser)),
            route("GET", _LOG_TYPE, guard("log_types", tenant.log_type)),
            route("GET", f"{_INSTANCE}/logTypes", guard("log_types", tenant.list_log_types)),
            route("GET", f"{_INSTANCE}/forwarders", guard("forwarders", tenant.list_forwarders)),
            route("POST", f"{_INSTANCE}/forwarders", guard("forwarders", tenant.create_forwarder)),
            route("GET", f"{_INSTANCE}/forwarders/[^/]+", guard("forwarders", tenant.forwarder)),
            route("POST", f"{_INSTANCE}:searchRawLogs", guard("search", tenant.search)),
        ]

    def _guard(self, method: Method, handle: Callable[..., Answer]) -> Callable[..., Answer]:
        def respond(request: Request, **named: str) -> Answer:
            rule = self.faults.first(REFUSALS, method=method, log_type=named.get("log_type"))
            return refusal(rule, method) if rule else handle(request, **named)

        return respond

    def import_logs(self, request: Request, log_type: str) -> Answer:
        """Respond to one request."""
        answer = self._answer(_decoded(request), log_type)
        self.store.count(0 if answer.wire.reset else answer.status)
        return answer

    def run_parser(self, request: Request, log_type: str) -> Answer:
        """Respond with the result of running a parser on logs."""
        if not self.tenant.has(log_type):
            return error(404, "NOT_FOUND", f"log type {log_type} not found")
        return run_parser_request(request)

    def _answer(self, request: Request, log_type: str) -> Answer:
        rule = self._fault((*REFUSALS, *ACCEPTING), log_type, self._keys(request))
        if rule and rule.kind == "slow":
            self._pause(rule.seconds)
        if rule and rule.kind in REFUSALS:
            return refusal(rule, "import")
        answer = self._import(request, log_type)
        if rule and rule.kind == "late_answer":
            self._pause(rule.seconds)
        return BROKEN if rule and rule.kind == "lost_answer" else answer

    def _fault(self, kinds: tuple[str, ...], log_type: str, keys: frozenset[str]) -> Rule | None:
        return self.faults.first(kinds, method="import", log_type=log_type, log=keys)

    def _keys(self, request: Request) -> frozenset[str]:
        """Return the keys of a request's logs if a fault needs them; parsing a request twice takes time."""
        if not any(rule.log for rule in self.faults.rules):
            return frozenset()
        try:
            return _keys_of(read_import(request.body))
        except BadImportError:
            return frozenset()

    def _import(self, request: Request, log_type: str) -> Answer:
        if not self.tenant.has(log_type):
            return error(404, "NOT_FOUND", f"log type {log_type} not found")
        size, limits = len(request.body), self._limits
        if size > limits.max_request_bytes:
            return too_large(limits.status, f"{limits.max_request_bytes} bytes")
        try:
            source = read_import(request.body)
        except BadImportError as refused:
            return error(400, "INVALID_ARGUMENT", str(refused))
        if limits.max_logs and len(source.logs) > limits.max_logs:
            return too_large(limits.status, f"{limits.max_logs} logs")
        if not self.burst.take(size):
            return burst()
        self._keep(log_type, source, request.body)
        return json_answer(200, {})

    def _keep(self, log_type: str, source: Source, body: bytes) -> None:
        if not source.source_filename and self._fault(LOSSES, log_type, _keys_of(source)):
            self.store.lose(len(source.logs))
        else:
            self.store.accept(log_type, source.logs, body)


def _keys_of(source: Source) -> frozenset[str]:
    return frozenset(map(log_key, source.logs))


def _decoded(request: Request) -> Request:
    # Other forwarders send gzip; the limit applies to the decompressed body.
    if request.headers.get("content-encoding") != "gzip":
        return request
    try:
        return replace(request, body=gzip.decompress(request.body))
    except (OSError, EOFError, zlib.error):
        return replace(request, body=b"")
