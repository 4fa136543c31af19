"""Entry points of the loader: pushes of minutes landed or absent, and pushes of dead letters."""

import functions_framework
from flask import Request

from services.loader.build import build
from services.loader.settings import LoaderSettings
from shared.contracts.messages import MINUTES_LANDED, MinuteAbsent, MinuteLanded, landing_event
from shared.contracts.push_envelope import Delivery
from shared.runtime.push import Answer, answer_push, push_handler
from shared.runtime.service import Lazy, start

settings = start(LoaderSettings)
components = Lazy(lambda: build(settings))


@functions_framework.http
@push_handler(landing_event, lambda: components().publisher, settings.max_delivery_attempts)
def load(event: MinuteLanded | MinuteAbsent) -> None:
    """Load the minute of one push, or record its absence."""
    components().loader.handle(event)


@functions_framework.http
def dead(request: Request) -> Answer:
    """Record the dead letter of one push."""
    # Recording never raises Poison, so nothing goes to another dead-letter topic.
    return answer_push(request, _record, topic=MINUTES_LANDED, publisher=lambda: components().publisher)


def _record(delivery: Delivery) -> None:
    components().dead_letters.record(delivery)
