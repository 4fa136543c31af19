"""Entry points of the SecOps forwarder: a schedule that polls, and pushes of pages that have landed."""

from typing import TYPE_CHECKING

import functions_framework
from flask import Request
from pydantic import TypeAdapter

from shared.answers import JsonAnswer, answer_each, json_answer
from shared.envelope import Delivery, read_message
from shared.messages import IOC_PAGES, IocPageLanded
from shared.outcomes import Poison
from shared.push import Answer, answer_push
from shared.secops.settings import SecOpsSettings
from shared.service import Once, start

if TYPE_CHECKING:
    from services.secops_forwarder.build import Parts

_OFF = "the forwarder is off: CHRONICLE_CUSTOMER_ID is not set"

settings = start(SecOpsSettings)
ioc_page_landed = TypeAdapter(IocPageLanded)


def _build() -> "Parts":
    # Google's clients take a second to import, which the first request has and a start has not.
    from services.secops_forwarder.build import build

    return build(settings)


parts = Once(_build)


@functions_framework.http
def poll(_: Request) -> JsonAnswer:
    """Bring in what is new in every stream."""
    if not settings.on:
        return json_answer({"off": _OFF})
    streams = {stream.name: stream for stream in settings.streams()}
    return answer_each(streams, lambda name: parts().poller.poll(streams[name]))


@functions_framework.http
def import_page(request: Request) -> Answer | JsonAnswer:
    """Deliver the page that one push tells of."""
    answer = answer_push(request, _deliver, topic=IOC_PAGES, publisher=lambda: parts().publisher)
    return answer if settings.on or answer[1] >= 500 else json_answer({"off": _OFF})


def _deliver(delivery: Delivery) -> None:
    if not settings.on:
        # An ack alone would lose the page; a dead letter can be sent again once the forwarder is on.
        raise Poison(_OFF)
    parts().importer.handle(read_message(ioc_page_landed, delivery))
