"""Entry point of the merger: called by a schedule, answers with one JSON entry per feed, and one per fold."""

import functions_framework
from flask import Request

from services.merger.build import build, build_folder
from services.merger.run import run
from services.merger.settings import MergerSettings
from shared.runtime.http_responses import JsonAnswer, json_answer
from shared.runtime.service import Lazy, start

settings = start(MergerSettings)
merger = Lazy(lambda: build(settings))
folder = Lazy(lambda: build_folder(settings))


@functions_framework.http
def merge(request: Request) -> JsonAnswer:  # noqa: ARG001 the schedule's body says nothing
    """Merge every feed that has staged lines, then fold what is due; report if another run is in progress."""
    with merger().only_one() as free:
        return run(settings, merger(), folder()) if free else json_answer({"busy": True})
