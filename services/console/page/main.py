"""Entry point of the status page: GET `/` is the page, GET `/data.json` what it shows."""

import functions_framework
from flask import Request, Response

from services.console.page.answer import answer
from services.console.page.reading import Readings
from services.console.page.settings import PageSettings
from shared.service import Once, start

settings = start(PageSettings)


def _readings() -> Readings:
    # Google's clients take a second to import, which neither the start nor the document has to wait for.
    from services.console.page.build import build

    return build(settings)


readings = Once(_readings)


@functions_framework.http
def page(request: Request) -> Response:
    """Answer a viewer."""
    return answer(request, latest=lambda: readings().latest())
