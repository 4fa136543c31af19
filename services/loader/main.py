"""Entry points of the loader: pushes of minutes landed or absent, and pushes of dead letters."""

import functions_framework
from flask import Request

from services.loader.build import build
from services.loader.settings import LoaderSettings
from shared.envelope import Delivery, read_message
from shared.messages import MINUTES_LANDED, landing_event
from shared.push import Answer, answer_push
from shared.service import Once, start

settings = start(LoaderSettings)
parts = Once(lambda: build(settings))


@functions_framework.http
def load(request: Request) -> Answer:
    """Load the minute that one push tells of, or record that it is absent."""
    return answer_push(
        request,
        lambda delivery: parts().loader.handle(read_message(landing_event, delivery)),
        topic=MINUTES_LANDED,
        publisher=lambda: parts().publisher,
    )


@functions_framework.http
def dead(request: Request) -> Answer:
    """Record the dead letter that one push brings."""
    # Recording knows no Poison, so nothing goes on to another dead-letter topic.
    return answer_push(request, _record, topic=MINUTES_LANDED, publisher=lambda: parts().publisher)


def _record(delivery: Delivery) -> None:
    parts().dead_letters.record(delivery)
