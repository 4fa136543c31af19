"""Responses of VirusTotal and SecOps.

Each has a meaning, and none leads to the key's disclosure or to an unexpected error.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import requests
from hypothesis import strategies as st
from pydantic import SecretStr

from services.secops_forwarder.importer import errors as secops
from shared.contracts.outcomes import MeshError, TransientError
from shared.runtime.json_bytes import read_json
from shared.streams.definition import find_stream
from shared.virustotal import errors as virustotal
from shared.virustotal.alert_reader import AlertReader
from shared.virustotal.api_answer import ApiAnswer
from shared.virustotal.client import NO_HEADERS, FixedKey, VirusTotal, _Request
from shared.virustotal.issue_reader import IssueReader, IssueSearch
from shared.virustotal.list_reader import ListQuery, ListReader
from tests.fuzz.malformed import ODD, malformed_json
from tests.fuzz.target import Target

KEY = "the-key"
_STREAM = find_stream("ioc_stream")
_ALERTS = find_stream("dtm_alerts")
_ISSUES = find_stream("asm_issues")
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
    """Return a response as requests gives it."""
    response = requests.Response()
    response.status_code = status
    response.headers.update({name: value for name, value in headers.items() if value is not None})
    response.raw = BytesIO(body)
    return response


def _wait(trouble: Exception) -> None:
    wait = getattr(trouble, "retry_after", None)
    assert wait is None or (wait >= 0 and not math.isnan(wait))


def check_virustotal(given: tuple[int, str | None, bytes]) -> str:
    """A status and code have one meaning from the API; an error of a redirect's host is one of the source."""
    status, wait, body = given
    try:
        virustotal.raise_for_redirected_answer(answer(status, {"Retry-After": wait}, body), "package")
    except TransientError as error:
        _wait(error)
        assert status >= 400
    try:
        virustotal.raise_for_api_answer(answer(status, {"Retry-After": wait}, body), "package")
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
    def __init__(self, body: bytes, link: str | None = None) -> None:
        self._answer = ApiAnswer(body, link=link)

    def answer(self, path: str, what: str, headers: Mapping[str, str] = NO_HEADERS) -> ApiAnswer:
        assert set(headers) <= {"PROJECT-ID"}
        # Nothing of a response may lead to another host.
        assert urlsplit(f"{API}{path}").netloc == urlsplit(API).netloc
        return self._answer


def check_list(body: bytes) -> str:
    """A page of a list has objects and perhaps a cursor, or is an error of the source."""
    question = ListQuery("/ioc_stream", "date:2026-11-21+", "date+", 40, fields=_STREAM.fields)
    try:
        page = ListReader(_Reads(body)).page(question)
    except MeshError as error:
        return type(error).__name__
    for item in page.items:
        whole = read_json(item.text)
        assert isinstance(whole, dict)
        assert _STREAM.key_of(item.known) == _STREAM.key_of(whole)
        assert _STREAM.date_of(item.known) == _STREAM.date_of(whole)
    assert replace(question, cursor=page.cursor).target()
    return "last page" if page.cursor is None else "page"


def check_alerts(given: tuple[bytes, str]) -> str:
    """A page of alerts has objects and perhaps a link, whose query alone is requested next."""
    body, link = given
    reader = AlertReader(_Reads(body, link))
    question = ListQuery(_ALERTS.path, "", _ALERTS.order, 25, fields=_ALERTS.fields)
    try:
        page = reader.page(question)
        if page.cursor is None:
            return "last page"
        reader.page(replace(question, cursor=page.cursor))
    except MeshError as error:
        return type(error).__name__
    return "page"


def check_issues(body: bytes) -> str:
    """A page of issues has objects, each of its project, and perhaps a token, which is requested next."""
    reader = IssueReader(_Reads(body))
    search = IssueSearch("10101", "last_seen_after:2026-11-21T11:59:59.999Z", 1000)
    try:
        page = reader.search(search)
        reader.search(replace(search, token=page.token))
    except MeshError as error:
        return type(error).__name__
    for item in page.items:
        # An item may be nested too deeply to be read.
        assert not item.known or {**item.known} == read_json(item.text)
        assert _ISSUES.key_of(item.known) is None or "id" in item.known
        assert item.text.startswith(b'{"project_id":"10101"')
    return "last page" if page.token is None else "page"


class _Redirects(requests.adapters.BaseAdapter):
    """Answers every request with a redirect, and records who received the key."""

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
    """Wherever a redirect leads, only the API receives the key, and the only errors are those of the source."""
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
_ALERT_PAGE = {"alerts": [{"id": "a", "updated_at": "2025-08-07T10:01:57.581Z", "title": "t"}]}
_ISSUE_PAGE = {
    "success": True,
    "message": "m",
    "result": {
        "timed_out": False,
        "more": True,
        "total_hits": 2,
        "hits": [{"id": "a", "last_seen": "2025-08-07T10:01:57.581Z", "summary": {"status": None}}],
        "next_page_token": "t",
    },
}
_LINKS = st.one_of(
    _LOCATIONS,
    st.builds('<{}>; rel="next"'.format, _LOCATIONS),
    st.builds('<https://api.example/?page={}>; rel="next"'.format, st.text("a1%&=/@#?: >;,<", max_size=12)),
    st.text(alphabet='<>;,="relnxtpag?:/1 ', max_size=40),
)

TARGETS = (
    Target("VirusTotal answers", st.tuples(_STATUSES, _HEADERS, malformed_json(_ERROR)), check_virustotal),
    Target("VirusTotal lists", malformed_json(_LIST), check_list),
    Target("VirusTotal alerts", st.tuples(malformed_json(_ALERT_PAGE), _LINKS), check_alerts),
    Target("VirusTotal issues", malformed_json(_ISSUE_PAGE), check_issues),
    Target("VirusTotal redirects", _LOCATIONS, check_redirect),
    Target("SecOps answers", st.tuples(_STATUSES, _HEADERS, malformed_json(_ERROR)), check_secops),
)
