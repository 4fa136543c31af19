"""Entry points of the SecOps forwarder: a schedule that polls, and pushes of pages and hours that have landed."""

from datetime import timedelta
from typing import TYPE_CHECKING

import functions_framework
from flask import Request

from services.secops_forwarder.importer.switched_off import leave_landing_to_the_poll, leave_to_the_poll
from services.secops_forwarder.settings import POLL_MINUTES, SecOpsSettings
from shared.contracts.messages import IocPageLanded, MinuteAbsent, MinuteLanded, ioc_page_landed, landing_event
from shared.runtime.http_responses import JsonAnswer, answer_each, json_answer
from shared.runtime.push import Answer, push_handler
from shared.runtime.service import Lazy, start
from shared.runtime.turns import Turns

if TYPE_CHECKING:
    from services.secops_forwarder.build import Components

# The schedule's interval.
_EVERY = timedelta(minutes=POLL_MINUTES)
# The share of the time that streams leave for landings. A check of them is mostly short.
_FOR_LANDINGS = 0.1
# The path of the subscription to landings in topology.yaml.
LANDINGS = "/landings"
_OFF = "the forwarder is off: CHRONICLE_CUSTOMER_ID is not set"

settings = start(SecOpsSettings)


def _build() -> "Components":
    # Google's clients take a second to import; the first request can wait for that, start-up cannot.
    from services.secops_forwarder.build import build

    return build(settings)


components = Lazy(_build)


@functions_framework.http
def poll(_: Request) -> JsonAnswer:
    """Poll every stream, each with its share of the time, then announce landings in the rest of it."""
    streams = {stream.name: stream for stream in settings.polled()}
    if not streams and not settings.on:
        return json_answer({"off": _OFF})
    feeds = {feed.name: feed for feed in settings.forwarded_feeds()} if settings.on else {}
    run = settings.deadline
    end = components().now() + run
    turns = Turns(tuple(streams), now=components().now, every=_EVERY, run=run * (1 - _FOR_LANDINGS) if feeds else run)
    components().forget_what_is_off()

    def work(name: str) -> object:
        if name in feeds:
            return components().poll_feed(feeds[name], end)
        return components().poll(streams[name], turns.until(name))

    return answer_each((*turns.names, *feeds), work)


@functions_framework.http
def import_page(request: Request) -> Answer | JsonAnswer:
    """Deliver the page of one push, or below `/landings` the landed hour."""
    answer = _deliver_landing(request) if request.path == LANDINGS else _deliver(request)
    return answer if settings.on or answer[1] >= 500 else json_answer({"off": _OFF})


@push_handler(ioc_page_landed, lambda: components().publisher, settings.max_delivery_attempts)
def _deliver(page: IocPageLanded) -> None:
    if not settings.on:
        leave_to_the_poll(components().bucket, page, _OFF, components().now())
        return
    components().importer.handle(page)


@push_handler(landing_event, lambda: components().publisher, settings.max_delivery_attempts)
def _deliver_landing(event: MinuteLanded | MinuteAbsent) -> None:
    if not settings.on:
        leave_landing_to_the_poll(components().bucket, event, _OFF)
        return
    components().importer.landings.handle(event)
