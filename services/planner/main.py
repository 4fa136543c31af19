"""Entry point of the planner: `/` plans, `/sweep` sweeps, `/dead-letters` tidies up, `/replay` requests a range."""

from datetime import timedelta

import functions_framework
from flask import Request

from services.planner.build import build
from services.planner.replay import ReplayRequest
from services.planner.settings import PlannerSettings
from shared.contracts.minute_requests import BadRangeError
from shared.feeds.switched_on import NotSwitchedOn
from shared.runtime.http_responses import BadRequestError, JsonAnswer, answer_each, json_answer, read_body
from shared.runtime.service import Lazy, start
from shared.runtime.tracing import TRACEPARENT, traced
from shared.runtime.turns import Turns, in_turn

# The intervals of the schedules; the sweep's schedule waits 300 s, and a batch is always finished.
_PLAN_EVERY = timedelta(minutes=1)
_SWEEP_EVERY = timedelta(minutes=10)
_SWEEP = timedelta(seconds=240)

settings = start(PlannerSettings)
components = Lazy(lambda: build(settings))


@functions_framework.http
def plan(request: Request) -> JsonAnswer:
    """Dispatch by path; published messages carry the request's trace."""
    with traced(request.headers.get(TRACEPARENT)):
        return _answer(request)


def _answer(request: Request) -> JsonAnswer:
    match request.path:
        case "/":
            return answer_each(in_turn(settings.feeds, components().now(), _PLAN_EVERY), components().planner.plan)
        case "/sweep":
            turns = Turns(settings.feeds, now=components().now, every=_SWEEP_EVERY, run=_SWEEP)
            return answer_each(turns.names, lambda feed: components().sweeper.sweep(feed, until=turns.until(feed)))
        case "/dead-letters":
            return answer_each(("dead-letters",), lambda _: components().letters().take_out())
        case "/replay":
            return _replay(request)
    return json_answer({"error": f"no such path {request.path!r}; use /, /sweep, /dead-letters or /replay"}, 404)


def _replay(request: Request) -> JsonAnswer:
    try:
        return json_answer({"published": components().replayer.replay(read_body(request, ReplayRequest))})
    except (BadRequestError, BadRangeError, NotSwitchedOn) as error:
        return json_answer({"error": str(error)}, 400)
