"""Entry point of the status page: GET `/` is the page, GET `/data.json` its data."""

import functions_framework
from flask import Request, Response

from services.status_page.answer import answer
from services.status_page.reading import Readings
from services.status_page.settings import PageSettings
from shared.runtime.service import Lazy, start

settings = start(PageSettings)


def _readings() -> Readings:
    # Google's clients take a second to import; neither start-up nor the document should wait for that.
    from services.status_page.build import build

    return build(settings)


readings = Lazy(_readings)


@functions_framework.http
def page(request: Request) -> Response:
    """Answer a viewer."""
    return answer(request, latest=lambda: readings().latest())
