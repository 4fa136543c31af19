"""Answer HTTP: two paths, GET and HEAD, with headers under which a browser runs only this page's code."""

from collections.abc import Callable

from flask import Request, Response

from services.status_page.document import document
from services.status_page.reading import Reading
from shared.contracts.minutes import utc_now

_METHODS = ("GET", "HEAD")
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


def answer(request: Request, *, latest: Callable[[], Reading]) -> Response:
    """Answer one request; read-only."""
    if request.method not in _METHODS:
        return _plain("this page is read-only; use GET or HEAD\n", 405, Allow=", ".join(_METHODS))
    match request.path:
        case "/":
            return _document(request)
        case "/data.json":
            return _data(request, latest())
    return _plain("not found; use / or /data.json\n", 404)


def _document(request: Request) -> Response:
    page = document()
    response = Response(page.html, 200, {**_ALWAYS, "Content-Security-Policy": page.policy}, mimetype="text/html")
    response.set_etag(page.etag)
    response.make_conditional(request)
    return response


def _data(request: Request, reading: Reading) -> Response:
    packed = request.accept_encodings.quality("gzip") > 0
    age = max(int((utc_now() - reading.at).total_seconds()), 0)
    read = {"X-Read-At": reading.at.isoformat(timespec="seconds"), "X-Read-Age": str(age)}
    headers = {**_ALWAYS, **read, "Vary": "Accept-Encoding"}
    if packed:
        headers["Content-Encoding"] = "gzip"
    body = reading.gzipped if packed else reading.body
    response = Response(body, reading.status, headers, mimetype="application/json")
    if reading.status != 200:
        return response
    response.set_etag(reading.etag, weak=True)
    response.make_conditional(request)
    return response


def _plain(text: str, status: int, **headers: str) -> Response:
    return Response(text, status, {**_ALWAYS, **headers}, mimetype="text/plain")
