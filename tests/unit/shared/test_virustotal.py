"""What VirusTotal's answers mean."""

from datetime import UTC, datetime
from io import BytesIO

import pytest
import requests
from pydantic import SecretStr
from requests import Response

from shared.virustotal.client import FixedKey, VirusTotal
from shared.virustotal.errors import (
    KeyRefused,
    NotAvailableYet,
    NotLicensed,
    PackageMissing,
    RequestRefused,
    SourceTrouble,
    raise_for_answer,
    retry_after,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def answered(status: int, body: bytes, **headers: str) -> Response:
    """Return an answer with this status and body."""
    answer = Response()
    answer.status_code = status
    answer.raw = BytesIO(body)
    answer.headers.update(headers)
    return answer


@pytest.mark.parametrize(
    ("status", "code", "meaning"),
    [
        (400, "NotAvailableYet", NotAvailableYet),
        (400, "BadRequestError", RequestRefused),
        (401, "WrongCredentialsError", KeyRefused),
        (403, "ForbiddenError", NotLicensed),
        (404, "NotFoundError", PackageMissing),
        (409, "AlreadyExistsError", RequestRefused),
        (429, "QuotaExceededError", SourceTrouble),
        (503, "TransientError", SourceTrouble),
        (504, "DeadlineExceededError", SourceTrouble),
    ],
)
def test_each_documented_error_has_its_meaning(status: int, code: str, meaning: type[Exception]) -> None:
    """Status and code decide, and the text carries the server's message."""
    body = b'{"error": {"code": "%b", "message": "what the server says"}}' % code.encode()
    with pytest.raises(meaning, match=f"{status} {code}: what the server says"):
        raise_for_answer(answered(status, body), "package")


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"", b"[]", b'{"error": 5}', b"\xff"])
def test_a_body_that_is_not_the_documented_one_is_survived(body: bytes) -> None:
    """The edge's HTML, an empty body and other JSON keep the status' meaning."""
    with pytest.raises(SourceTrouble):
        raise_for_answer(answered(429, body), "package")


class _Endless:
    """A body that never ends, or breaks off at once; counts what was asked of it."""

    def __init__(self, error: Exception | None = None) -> None:
        self.given = 0
        self._error = error

    def read(self, amount: int, **_: object) -> bytes:
        """Return so many bytes."""
        if self._error:
            raise self._error
        self.given += amount
        return b"x" * amount

    def close(self) -> None:
        """Have nothing to close."""

    release_conn = close


@pytest.mark.parametrize(
    ("body", "most"), [(_Endless(), 64 * 1024), (_Endless(requests.exceptions.ChunkedEncodingError()), 0)]
)
def test_an_errors_body_takes_no_memory_and_makes_no_other_error(body: _Endless, most: int) -> None:
    """However long a refusal is, its beginning is enough, and one that breaks off is still what its status says."""
    answer = Response()
    answer.status_code, answer.raw = 404, body
    with pytest.raises(PackageMissing):
        raise_for_answer(answer, "package")
    assert body.given == most


class _EndlessAnswers(requests.adapters.BaseAdapter):
    """Answers everything with a body that never ends."""

    def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> Response:
        """Return 200 and the beginning of something."""
        answer = Response()
        answer.status_code, answer.raw, answer.request = 200, _Endless(), request
        return answer

    def close(self) -> None:
        """Have nothing to close."""


def test_a_page_without_end_is_given_up() -> None:
    """A page of a list is held in memory, so it may have so many bytes and no more."""
    source = VirusTotal(api_url="https://api.example", key=FixedKey(SecretStr("key")))
    source._session().mount("https://", _EndlessAnswers())
    with pytest.raises(SourceTrouble, match="more than 67108864 bytes"):
        source.read("/ioc_stream", "page of /ioc_stream")


def test_retry_after_is_carried() -> None:
    """The seconds that the source asks for travel with the error."""
    with pytest.raises(SourceTrouble) as caught:
        raise_for_answer(answered(429, b"", **{"Retry-After": "17"}), "package")
    assert caught.value.retry_after == 17


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-3", None),
        ("\u00b2", None),
        ("Fri, 21 Nov 99999999999999999999 12:00:00 GMT", None),
        ("", None),
        (None, None),
    ],
)
def test_both_forms_of_retry_after_are_read(header: str | None, seconds: float | None) -> None:
    """Seconds and HTTP dates are understood; a date in the past is now; nonsense is nothing."""
    assert retry_after(header, NOW) == seconds
