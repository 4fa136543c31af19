"""Entry point of the merger: a schedule's call in, one JSON entry a feed out."""

from datetime import UTC, datetime

import functions_framework
from flask import Request

from services.merger.build import build
from services.merger.merge import in_turn
from services.merger.settings import MergerSettings
from shared.answers import JsonAnswer, answer_each, json_answer
from shared.feeds.definition import find_feed
from shared.service import Once, start

settings = start(MergerSettings)
merger = Once(lambda: build(settings))


@functions_framework.http
def merge(request: Request) -> JsonAnswer:  # noqa: ARG001 the schedule's body says nothing
    """Merge every feed that has something staged; while a merge runs, say that it does."""
    with merger().only_one() as free:
        if not free:
            return json_answer({"busy": True})
        feeds = in_turn(settings.feeds, datetime.now(UTC))
        return answer_each(feeds, lambda feed: merger().merge(find_feed(feed)))
