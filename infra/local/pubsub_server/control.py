"""The control endpoint, for tests and soak runs only: faults on request, and how much waits where."""

from pydantic import TypeAdapter

from infra.local.pubsub_server.faults import Faults, Rule
from infra.local.pubsub_server.log import Log
from infra.local.web import Answer, Request, Respond, checked, dispatch, json_answer, route


def control(faults: Faults, log: Log) -> Respond:
    """Return what answers on the control port."""

    def replace_faults(request: Request) -> Answer:
        faults.replace(TypeAdapter(tuple[Rule, ...]).validate_json(request.body))
        return json_answer(200, {})

    routes = [
        route("PUT", "/control/faults", checked(replace_faults)),
        route("GET", "/control/backlog", lambda _: json_answer(200, log.waiting())),
    ]
    return dispatch(routes, lambda asked: json_answer(404, {"error": f"there is no {asked.method} {asked.path}"}))
