"""The control endpoint, for tests and soak runs only: fault injection and backlogs."""

from infra.local.faults.routes import fault_routes
from infra.local.pubsub_server.faults import Faults, Rule
from infra.local.pubsub_server.message_store import MessageStore
from infra.local.web import Respond, dispatch, json_answer, json_route


def control(faults: Faults, store: MessageStore) -> Respond:
    """Return the handler of the control port."""
    routes = [*fault_routes(faults, Rule), json_route("GET", "/control/backlog", lambda _: store.backlog())]
    return dispatch(routes, lambda asked: json_answer(404, {"error": f"there is no {asked.method} {asked.path}"}))
