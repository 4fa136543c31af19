"""Entry point of the planner: `/` plans, `/sweep` asks again, `/replay` asks for a range."""

import functions_framework
from flask import Request

from services.planner.build import build
from services.planner.replay import ReplayRequest
from services.planner.settings import PlannerSettings
from shared.answers import BadRequestError, JsonAnswer, answer_each, json_answer, read_body
from shared.asking import BadRangeError
from shared.service import Once, start
from shared.trace import TRACEPARENT, traced

settings = start(PlannerSettings)
parts = Once(lambda: build(settings))


@functions_framework.http
def plan(request: Request) -> JsonAnswer:
    """Do what the path says; what is published carries the request's trace to the last service."""
    with traced(request.headers.get(TRACEPARENT)):
        return _answer(request)


def _answer(request: Request) -> JsonAnswer:
    match request.path:
        case "/":
            return answer_each(settings.feeds, parts().planner.plan)
        case "/sweep":
            return answer_each(settings.feeds, parts().sweeper.sweep)
        case "/replay":
            return _replay(request)
    return json_answer({"error": f"no such path {request.path!r}; there are /, /sweep and /replay"}, 404)


def _replay(request: Request) -> JsonAnswer:
    try:
        return json_answer({"published": parts().replayer.replay(read_body(request, ReplayRequest))})
    except (BadRequestError, BadRangeError) as error:
        return json_answer({"error": str(error)}, 400)
