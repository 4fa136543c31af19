"""The meaning of VirusTotal's responses; only VirusTotal's own responses decide about a minute, a licence or a key."""

import gzip
import json
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests import Response
from requests.exceptions import ChunkedEncodingError
from urllib3 import HTTPResponse

from shared.contracts.outcomes import TransientError
from shared.virustotal.errors import (
    KeyRefused,
    NotAvailableYet,
    NotLicensed,
    PackageMissing,
    RequestRefused,
    raise_for_api_answer,
    raise_for_redirected_answer,
)

VERDICTS = (NotAvailableYet, PackageMissing, NotLicensed, KeyRefused, RequestRefused)
TRANSIENT = [408, 425, 429, 499, 500, 502, 503, 504, 599]


def answered(status: int, body: bytes, **headers: str) -> Response:
    """Return a response with this status and body."""
    answer = Response()
    answer.status_code = status
    answer.raw = BytesIO(body)
    answer.headers.update(headers)
    return answer


def own_error(code: str) -> bytes:
    """Return an error in the API's format."""
    return json.dumps({"error": {"code": code, "message": "what the server says"}}).encode()


@pytest.mark.parametrize(("coding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_an_error_under_a_coding_that_nobody_asked_for_is_read(coding: str, encode: Callable[[bytes], bytes]) -> None:
    """Its code decides, as for any other."""
    answer = answered(400, b"")
    answer.raw = HTTPResponse(
        BytesIO(encode(own_error("NotAvailableYet"))), {"Content-Encoding": coding}, preload_content=False
    )
    with pytest.raises(NotAvailableYet):
        raise_for_api_answer(answer, "package")


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "NotAvailableYet", NotAvailableYet),
        (400, "NotAvailableYetError", NotAvailableYet),
        (400, "BadRequestError", RequestRefused),
        (400, "InvalidArgumentError", RequestRefused),
        (400, "SomeNewError", RequestRefused),
        (400, "QuotaExceededError", TransientError),
        (401, "AuthenticationRequiredError", KeyRefused),
        (401, "WrongCredentialsError", KeyRefused),
        (401, "UserNotActiveError", KeyRefused),
        (403, "ForbiddenError", NotLicensed),
        (403, "SomeNewError", TransientError),
        (404, "NotFoundError", PackageMissing),
        (404, "SomeNewError", TransientError),
        (409, "AlreadyExistsError", RequestRefused),
        (424, "FailedDependencyError", TransientError),
        (429, "QuotaExceededError", TransientError),
        (503, "TransientError", TransientError),
        (504, "DeadlineExceededError", TransientError),
    ],
)
def test_each_documented_error_has_its_meaning(status: int, code: str, meaning: type[Exception]) -> None:
    """The code decides, and the text has the server's message."""
    with pytest.raises(meaning, match=f"{status} {code}: what the server says"):
        raise_for_api_answer(answered(status, own_error(code)), "package")


@pytest.mark.parametrize("code", ["NotAvailableYet", "NotAvailableYetError"])
@pytest.mark.parametrize("rest", [{}, {"message": None}, {"message": ""}, {"message": 5}, {"details": []}])
def test_a_message_is_optional(code: str, rest: dict[str, object]) -> None:
    """An error with only a code is a valid verdict."""
    body = json.dumps({"error": {"code": code, **rest}}).encode()
    with pytest.raises(NotAvailableYet, match=code):
        raise_for_api_answer(answered(400, body), "package")


@pytest.mark.parametrize("status", TRANSIENT)
@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", own_error("NotFoundError"), own_error("ForbiddenError")])
def test_a_transient_status_is_trouble_whatever_the_body(status: int, body: bytes) -> None:
    """A timeout, a quota or a server error says nothing about a minute."""
    with pytest.raises(TransientError):
        raise_for_api_answer(answered(status, body), "package")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 407, 409, 410, 412, 451])
@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>busy</html>", b"", b"[]", b'{"error": 5}', b"\xff", b'{"error": null}', b"null"),
        # As Google's APIs and gateways write errors.
        b'{"error": {"code": 404, "message": "no", "status": "NOT_FOUND"}}',
        b'{"error": {"code": "404", "message": "no"}}',
        b'{"error": {"code": "ACCESS_DENIED", "message": "no"}}',
        own_error("NotFoundError")[:-1],
    ],
)
def test_a_refusal_that_is_not_virustotals_own_is_trouble(status: int, body: bytes) -> None:
    """A proxy's page, an empty body, another service's JSON and a truncated body are not verdicts."""
    with pytest.raises(TransientError, match=f"answered {status} without a JSON error"):
        raise_for_api_answer(answered(status, body), "package")


@given(st.integers(400, 599), st.one_of(st.binary(max_size=200), st.sampled_from(["", "404", "E_NOT"]).map(own_error)))
def test_what_is_not_virustotals_own_is_no_verdict(status: int, body: bytes) -> None:
    """Without a code in VirusTotal's JSON any status is a transient error."""
    with pytest.raises(TransientError):
        raise_for_api_answer(answered(status, body), "package")


@given(
    st.integers(400, 599),
    st.sampled_from(("NotFoundError", "ForbiddenError", "WrongCredentialsError", "NotAvailableYet")).map(own_error)
    | st.binary(max_size=200),
)
def test_no_answer_of_a_redirects_host_is_a_verdict(status: int, body: bytes) -> None:
    """The host is not the API: even VirusTotal's error format from it is only a transient error."""
    with pytest.raises(TransientError, match=f"the host that VirusTotal redirects to answered {status}"):
        raise_for_redirected_answer(answered(status, body), "package")


def test_of_a_storages_refusal_only_the_code_is_shown() -> None:
    """Its XML repeats the signature, with which anyone could download the package."""
    body = b"<Error><Code>SignatureDoesNotMatch</Code><SignatureProvided>s3cret</SignatureProvided></Error>"
    with pytest.raises(TransientError, match=r"answered 403 SignatureDoesNotMatch$") as caught:
        raise_for_redirected_answer(answered(403, body), "package")
    assert "s3cret" not in str(caught.value)


class _Pieces:
    """A body in pieces, which may break or never end."""

    def __init__(self, *pieces: bytes | Exception, endless: bool = False) -> None:
        self.given = 0
        self._pieces = list(pieces)
        self._endless = endless

    def read(self, amount: int) -> bytes:
        """Return the next piece, and count it."""
        if self._endless:
            piece: bytes | Exception = b"x" * amount
        else:
            piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        self.given += len(piece)
        return piece


def refused(status: int, body: _Pieces) -> Response:
    """Return an error with this body."""
    answer = Response()
    answer.status_code, answer.raw = status, body
    return answer


def test_an_error_that_comes_in_pieces_is_read_to_its_end() -> None:
    """A chunked response returns the body in pieces."""
    body = own_error("NotFoundError")
    with pytest.raises(PackageMissing):
        raise_for_api_answer(refused(404, _Pieces(body[:10], body[10:30], body[30:])), "package")


def test_an_error_that_breaks_off_is_no_verdict() -> None:
    """The received part is not VirusTotal's JSON."""
    with pytest.raises(TransientError):
        raise_for_api_answer(
            refused(404, _Pieces(own_error("NotFoundError")[:20], ChunkedEncodingError("cut"))), "package"
        )


def test_an_errors_body_takes_no_memory_and_makes_no_other_error() -> None:
    """The beginning of an error of any length is enough."""
    body = _Pieces(endless=True)
    with pytest.raises(TransientError):
        raise_for_api_answer(refused(404, body), "package")
    assert body.given == 64 * 1024


@pytest.mark.parametrize("raise_for", [raise_for_api_answer, raise_for_redirected_answer])
def test_retry_after_is_carried(raise_for: type) -> None:
    """The Retry-After of either host is kept in the error."""
    with pytest.raises(TransientError) as caught:
        raise_for(answered(429, b"", **{"Retry-After": "17"}), "package")
    assert caught.value.retry_after == 17


def test_only_the_apis_429_is_about_the_quota() -> None:
    """An alarm reports the API's quota; a storage host's 429 is only transient."""
    for raise_for, error_type in ((raise_for_api_answer, "quota_spent"), (raise_for_redirected_answer, "trouble")):
        with pytest.raises(TransientError) as caught:
            raise_for(answered(429, b""), "package")
        assert caught.value.error_type == error_type


@pytest.mark.parametrize("raise_for", [raise_for_api_answer, raise_for_redirected_answer])
def test_what_is_no_error_raises_none(raise_for: type) -> None:
    """Successes and redirects are left to the client."""
    for status in (200, 206, 302):
        raise_for(answered(status, b"x"), "package")
