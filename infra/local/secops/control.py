"""The control endpoint: scripts the simulator and says what it accepted."""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from infra.local.secops.api import LARGEST_REQUEST, SecOps
from infra.local.secops.faults import Rule
from infra.local.web import Answer, Request, Route, checked, json_answer, route

_RULES = TypeAdapter(list[Rule])


class Limits(BaseModel):
    """The size limit of a request, and the burst limit: bytes within a rolling window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    largest_request: int = Field(default=LARGEST_REQUEST, ge=1)
    burst_bytes: int | None = Field(default=None, ge=0)
    burst_seconds: float = Field(default=300.0, gt=0)


class Control:
    """Answers `/control/...`."""

    def __init__(self, secops: SecOps) -> None:
        self._secops = secops

    def routes(self) -> list[Route]:
        """Return the routes of the control endpoint."""
        handlers: list[tuple[str, str, Callable[..., Answer]]] = [
            ("PUT", "/control/faults", self.write_faults),
            ("PUT", "/control/limits", self.write_limits),
            ("GET", "/control/stats", self.read_stats),
            ("GET", "/control/keys/(?P<log_type>[A-Z0-9_]+)", self.read_keys),
            ("GET", "/control/logs/(?P<log_type>[A-Z0-9_]+)", self.read_logs),
            ("POST", "/control/reset", self.reset),
        ]
        return [route(method, path, checked(handle)) for method, path, handle in handlers]

    def write_faults(self, request: Request) -> Answer:
        """Put these rules in force instead of all others."""
        self._secops.faults.replace(_RULES.validate_json(request.body))
        return json_answer(200, {})

    def write_limits(self, request: Request) -> Answer:
        """Set the limits."""
        limits = Limits.model_validate_json(request.body)
        self._secops.largest_request = limits.largest_request
        self._secops.burst.set(limits.burst_bytes, limits.burst_seconds)
        return json_answer(200, {})

    def read_stats(self, _: Request) -> Answer:
        """Return what was seen since the start or the last reset."""
        return json_answer(200, self._secops.store.report().model_dump())

    def read_keys(self, _: Request, log_type: str) -> Answer:
        """Return the key of every log of a type."""
        return json_answer(200, self._secops.store.keys(log_type))

    def read_logs(self, _: Request, log_type: str) -> Answer:
        """Return the newest logs of a type."""
        return json_answer(200, [kept.model_dump() for kept in self._secops.store.logs(log_type)])

    def reset(self, _: Request) -> Answer:
        """Come back to the state at the start."""
        self._secops.reset()
        return json_answer(200, {})
