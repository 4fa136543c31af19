"""Answer HTTP: two addresses, GET and HEAD, and headers under which a browser runs nothing but this page."""

from collections.abc import Callable

from flask import Request, Response

from services.console.page.document import document
from services.console.page.reading import Reading

_METHODS = ("GET", "HEAD")
_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}


def answer(request: Request, *, latest: Callable[[], Reading]) -> Response:
    """Answer one request; nothing that is asked here changes anything."""
    if request.method not in _METHODS:
        return _plain("this page only shows; it takes GET and HEAD\n", 405, Allow=", ".join(_METHODS))
    match request.path:
        case "/":
            return _document(request)
        case "/data.json":
            return _data(request, latest())
    return _plain("there are / and /data.json\n", 404)


def _document(request: Request) -> Response:
    page = document()
    response = Response(page.html, 200, {**_ALWAYS, "Content-Security-Policy": page.policy}, mimetype="text/html")
    response.set_etag(page.etag)
    response.make_conditional(request)
    return response


def _data(request: Request, reading: Reading) -> Response:
    packed = request.accept_encodings.quality("gzip") > 0
    headers = {**_ALWAYS, "Vary": "Accept-Encoding", "X-Read-At": reading.at.isoformat(timespec="seconds")}
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
