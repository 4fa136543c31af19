"""Answers of VirusTotal and SecOps: each means something, and none of them gets the key or an unforeseen error out."""

import math
from io import BytesIO
from typing import Any

import requests
from hypothesis import strategies as st
from pydantic import SecretStr

from shared.json_bytes import read_json
from shared.outcomes import MeshError
from shared.secops import errors as secops
from shared.streams import find_stream
from shared.virustotal import errors as virustotal
from shared.virustotal.client import FixedKey, VirusTotal, _Request
from shared.virustotal.pages import Pages, Question
from tests.fuzz.bent import ODD, bent_json
from tests.fuzz.target import Target

KEY = "the-key"
_STREAM = find_stream("ioc_stream")
API = "https://api.example"
_STATUSES = st.one_of(
    st.sampled_from((200, 206, 301, 302, 400, 401, 403, 404, 408, 429, 500, 503)), st.integers(100, 599)
)
_HEADERS = st.one_of(
    st.none(),
    st.sampled_from([odd for odd in ODD if isinstance(odd, str) and odd.isprintable()]),
    st.sampled_from(("5", "-1", "1e9", "9" * 400, "Fri, 21 Nov 2026 12:00:00 GMT", "Fri, 21 Nov 9999 23:59:59 -2359")),
    st.sampled_from(("Fri, 21 Nov 99999999999 12:00:00 GMT", "21 Nov 0001 00:00:00 +2359")),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
)


def answer(status: int, headers: dict[str, str | None], body: bytes) -> requests.Response:
    """Return an answer as requests gives it."""
    response = requests.Response()
    response.status_code = status
    response.headers.update({name: value for name, value in headers.items() if value is not None})
    response.raw = BytesIO(body)
    return response


def _wait(trouble: Exception) -> None:
    wait = getattr(trouble, "retry_after", None)
    assert wait is None or (wait >= 0 and not math.isnan(wait))


def check_virustotal(given: tuple[int, str | None, bytes]) -> str:
    """A status has one meaning, whatever comes with it."""
    status, wait, body = given
    try:
        virustotal.raise_for_answer(answer(status, {"Retry-After": wait}, body), "package")
    except MeshError as error:
        _wait(error)
        return type(error).__name__
    assert status < 400
    return "good"


def check_secops(given: tuple[int, str | None, bytes]) -> str:
    """Only a success counts as accepted."""
    status, wait, body = given
    try:
        secops.raise_for_answer(answer(status, {"Retry-After": wait}, body))
    except MeshError as error:
        _wait(error)
        return type(error).__name__
    assert 200 <= status < 300
    return "accepted"


class _Reads:
    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, path: str, what: str) -> bytes:
        return self._body


def check_list(body: bytes) -> str:
    """A page of a list has objects and perhaps a cursor, or is the source's trouble."""
    question = Question("/ioc_stream", "date:2026-11-21+", "date+", 40, fields=_STREAM.fields)
    try:
        page = Pages(_Reads(body)).page(question)
    except MeshError as error:
        return type(error).__name__
    for item in page.items:
        whole = read_json(item.text)
        assert isinstance(whole, dict)
        assert _STREAM.key_of(item.known) == _STREAM.key_of(whole)
        assert _STREAM.date_of(item.known) == _STREAM.date_of(whole)
    assert page.cursor is None or page.cursor
    return "last page" if page.cursor is None else "page"


class _Redirects(requests.adapters.BaseAdapter):
    """Answers everything with a redirect, and remembers who was given the key."""

    def __init__(self) -> None:
        super().__init__()
        self.location = ""
        self.given: list[str] = []

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        if KEY in repr(request.headers) or KEY in str(request.url):
            self.given.append(str(request.url))
        response = answer(302, {"Location": self.location}, b"")
        response.request, response.url, response.raw = request, str(request.url), _NoBody()
        return response

    def close(self) -> None:
        pass


class _NoBody:
    def read(self, *_: object, **__: object) -> bytes:
        return b""

    def close(self) -> None:
        pass

    release_conn = close


_ADAPTER = _Redirects()
_SOURCE = VirusTotal(api_url=API, key=FixedKey(SecretStr(KEY)))
_SESSION = _SOURCE._session()
_SESSION.mount("https://", _ADAPTER)
_SESSION.mount("http://", _ADAPTER)


def check_redirect(location: str) -> str:
    """Wherever a redirect leads, the key stays with the API, and nothing but the source's trouble comes of it."""
    _ADAPTER.location, _ADAPTER.given = location, []
    try:
        _SOURCE._with_key(_Request(_SESSION, f"{API}/feeds/domains/202611211000", "package", {}))
    except MeshError as error:
        assert KEY not in str(error)
        assert _ADAPTER.given == [f"{API}/feeds/domains/202611211000"]
        return "refused" if "refused" in str(error) else type(error).__name__
    raise AssertionError("a redirect for ever cannot end well")


_ERROR = {"error": {"code": "NotAvailableYet", "message": "Package is not available yet", "status": "ABORTED"}}
_LIST = {"data": [{"id": "a", "context_attributes": {"notification_id": "1"}}], "meta": {"cursor": "abc", "count": 1}}
_LOCATIONS = st.one_of(
    st.sampled_from([odd for odd in ODD if isinstance(odd, str) and odd.isprintable()]),
    st.sampled_from(("https://storage.example/x?signed=1", "//evil.example/x", "https://api.example@evil.example/")),
    st.sampled_from(
        ("https://[::1", "https://a:99999/", "https://a:b/", "https:///x", "\\\\evil", "https://é.example/")
    ),
    st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255), max_size=40),
    st.text(alphabet="htps:/@[]?#.%\\-a1", max_size=25),
)

TARGETS = (
    Target("VirusTotal answers", st.tuples(_STATUSES, _HEADERS, bent_json(_ERROR)), check_virustotal),
    Target("VirusTotal lists", bent_json(_LIST), check_list),
    Target("VirusTotal redirects", _LOCATIONS, check_redirect),
    Target("SecOps answers", st.tuples(_STATUSES, _HEADERS, bent_json(_ERROR)), check_secops),
)
