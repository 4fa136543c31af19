"""The control endpoint: scripts the simulator and reports the accepted logs."""

from pydantic import BaseModel, ConfigDict

from infra.local.faults.routes import fault_routes
from infra.local.secops.api import Limits, SecOps
from infra.local.secops.faults import Rule
from infra.local.web import Request, Route, json_route

_LOG_TYPE = "(?P<log_type>[A-Z0-9_]+)"


class LogTypes(BaseModel):
    """The existing log types; None: Google's and all of the tenant's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_types: frozenset[str] | None


def control_routes(secops: SecOps) -> list[Route]:
    """Return the routes of `/control/...`: set limits and log types, read figures, keys and newest logs, reset."""
    store = secops.store

    def write_log_types(request: Request) -> None:
        secops.tenant.log_types = LogTypes.model_validate_json(request.body).log_types

    return [
        *fault_routes(secops.faults, Rule),
        json_route("PUT", "/control/limits", lambda asked: secops.set_limits(Limits.model_validate_json(asked.body))),
        json_route("PUT", "/control/log_types", write_log_types),
        json_route("GET", "/control/stats", lambda _: store.report().model_dump()),
        json_route("GET", f"/control/keys/{_LOG_TYPE}", lambda _, log_type: store.keys(log_type)),
        json_route(
            "GET", f"/control/logs/{_LOG_TYPE}", lambda _, log_type: [one.model_dump() for one in store.logs(log_type)]
        ),
        json_route("POST", "/control/reset", lambda _: secops.reset()),
    ]
