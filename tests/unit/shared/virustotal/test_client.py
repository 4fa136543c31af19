"""The client's handling of responses that a well-behaved server never sends."""

from io import BytesIO
from urllib.parse import urlsplit

import pytest
import requests
import stamina
from pydantic import SecretStr
from requests import Response
from urllib3 import HTTPResponse

from shared.contracts.outcomes import TransientError
from shared.virustotal.client import FixedKey, VirusTotal


class _Endless:
    """A body that never ends."""

    def read(self, amount: int, **_: object) -> bytes:
        """Return this many bytes."""
        return b"x" * amount

    def close(self) -> None:
        """Nothing to close."""

    release_conn = close


class _Answers(requests.adapters.BaseAdapter):
    """Sends this status and an endless body to every request."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self._status = status

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> Response:
        """Return the first bytes."""
        answer = Response()
        answer.status_code, answer.raw, answer.request = self._status, _Endless(), request
        return answer

    def close(self) -> None:
        """Nothing to close."""


def source(status: int) -> VirusTotal:
    """Return a client of such a server."""
    source = VirusTotal(api_url="https://api.example", key=FixedKey(SecretStr("key")))
    source._session().mount("https://", _Answers(status))
    return source


def test_a_page_without_end_is_given_up() -> None:
    """A page of a list is held in memory, so its size is limited."""
    with pytest.raises(TransientError, match="more than 67108864 bytes"):
        source(200).read("/ioc_stream", "page of /ioc_stream")


@pytest.mark.parametrize("status", [201, 203, 204, 206, 300, 304, 305])
def test_only_a_whole_answer_is_taken(status: int) -> None:
    """An unrequested partial response, or one without a body, could be taken for a whole package."""
    with (
        stamina.set_testing(True, attempts=1),
        pytest.raises(TransientError, match=f"answered {status}, which does not answer this request"),
    ):
        source(status).read("/ioc_stream", "page of /ioc_stream")


class _Elsewhere(requests.adapters.BaseAdapter):
    """Redirects from the API to another host, and keeps the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: dict[str, requests.PreparedRequest] = {}

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> Response:
        """Return a redirect, or its target's body."""
        host = urlsplit(str(request.url)).hostname or ""
        self.sent[host] = request
        answer = Response()
        answer.status_code, answer.request = (302, request) if host == "api.example" else (200, request)
        answer.raw = HTTPResponse(BytesIO(b"{}"), preload_content=False)
        answer.headers["Location"] = "https://elsewhere.example/x"
        return answer

    def close(self) -> None:
        """Nothing to close."""


def test_neither_the_key_nor_a_project_goes_to_another_host() -> None:
    """Headers of a request are for the API, as the key is."""
    api = VirusTotal(api_url="https://api.example", key=FixedKey(SecretStr("key")))
    adapter = _Elsewhere()
    api._session().mount("https://", adapter)
    assert api.answer("/asm/search/issues/x", "page", {"PROJECT-ID": "10101"}).body == b"{}"
    own, other = (adapter.sent[host].headers for host in ("api.example", "elsewhere.example"))
    assert (own["PROJECT-ID"], own["x-apikey"]) == ("10101", "key")
    assert not {"PROJECT-ID", "x-apikey"} & set(other)
