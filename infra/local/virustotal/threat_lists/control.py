"""The threat lists' part of the control endpoint: settings, faults, and what the lists hold."""

from infra.local.faults.routes import fault_routes
from infra.local.virustotal.threat_lists.api import ListSettings, ThreatListRule, ThreatListsApi
from infra.local.web import Request, Route, json_route

_PATH = "/control/threat_lists"


def control_routes(lists: ThreatListsApi) -> list[Route]:
    """Return the routes of `/control/threat_lists/...`."""

    def write_settings(request: Request) -> None:
        lists.settings = ListSettings.model_validate_json(request.body)

    def read_ids(_: Request, name: str, hour: str) -> list[str]:
        if lists.hour_of(hour) is None:
            raise ValueError(f"{hour!r} is not an hour; write YYYYMMDDhh")
        return lists.ids(name, hour)

    return [
        json_route("PUT", f"{_PATH}/settings", write_settings),
        json_route("GET", f"{_PATH}/ids/(?P<name>[^/]+)/(?P<hour>[^/]+)", read_ids),
        *fault_routes(lists.faults, ThreatListRule, f"{_PATH}/faults"),
    ]
