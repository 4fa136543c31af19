"""How VirusTotal's error responses map to errors, depending on the host that sent them.

Only the API itself decides about a minute, a licence or a key: an error from the API's host in VirusTotal's JSON
format, whose code counts (docs.virustotal.com/reference/errors; `message` is optional). Everything else, and every
error of the host that a redirect leads to, is transient.
"""

import json
import re

from requests import RequestException, Response
from urllib3.exceptions import HTTPError

from shared.contracts.outcomes import MeshError, Retryable, TransientError
from shared.runtime.http_requests import retry_after

_SHOWN = 300
# An error of the API has a few hundred bytes; the rest of a larger body is not read.
_MAX_ERROR_BYTES = 64 * 1024
# A code is a name such as ForbiddenError; proxies and gateways use numbers and other spellings.
_CODE = re.compile(r"[A-Z][A-Za-z]{2,63}", re.ASCII)
# The code in an error of Cloud Storage, S3 or Azure.
_XML_CODE = re.compile(rb"<Code>([A-Za-z]{1,64})</Code>")
# Timeouts, quotas and closed connections: a retry may succeed, whichever host sent them.
_TRANSIENT_STATUSES = frozenset({408, 425, 429, 499})


class NotAvailableYet(MeshError):
    """The package is too recent; the source does not have it yet."""


class PackageMissing(MeshError):
    """The source has no such package."""


class NotLicensed(MeshError):
    """The key's owner may not read this feed."""

    error_type = "not_licensed"


class RequestRefused(MeshError):
    """The request itself is invalid; a retry cannot succeed."""

    error_type = "request_refused"


class KeyRefused(Retryable):
    """The source refused the API key; an operator has to act. The minutes themselves are fine."""

    error_type = "key_refused"


_TRANSIENT_CODES = frozenset(
    {"DeadlineExceededError", "FailedDependencyError", "QuotaExceededError", "TooManyRequestsError", "TransientError"}
)
_VERDICTS: dict[str, type[MeshError]] = {
    "NotAvailableYet": NotAvailableYet,
    "NotAvailableYetError": NotAvailableYet,
    "NotFoundError": PackageMissing,
    "ForbiddenError": NotLicensed,
    "AuthenticationRequiredError": KeyRefused,
    "UserNotActiveError": KeyRefused,
    "WrongCredentialsError": KeyRefused,
    "AlreadyExistsError": RequestRefused,
}
_ADVICE: dict[type[MeshError], str] = {
    NotLicensed: "; the key's owner has no licence for it",
    KeyRefused: "; check VT_API_KEY or the secret named by VT_API_KEY_SECRET",
}


def raise_for_api_answer(answer: Response, what: str) -> None:
    """Raise the error of a response from the API's host, unless it is a success or a redirect."""
    status = answer.status_code
    if status < 400:
        return
    body = _beginning(answer)
    code, message = _own_error(body)
    if code is None:
        raise _api_trouble(answer, f"{what}: VirusTotal answered {status} without a JSON error: {_text(body)}")
    text = f"{what}: VirusTotal answered {status} {code}{f': {message}' if message else ''}"
    verdict = _verdict(status, code)
    if verdict is None:
        raise _api_trouble(answer, text)
    raise verdict(text + _ADVICE.get(verdict, ""))


def _verdict(status: int, code: str) -> type[MeshError] | None:
    if status >= 500 or status in _TRANSIENT_STATUSES or code in _TRANSIENT_CODES:
        return None
    # The code for an expired cursor is not documented; other refusals are permanent.
    return _VERDICTS.get(code, RequestRefused if status == 400 else None)


def raise_for_redirected_answer(answer: Response, what: str) -> None:
    """Raise TransientError for any error of the host that a redirect leads to: the API may give a better link."""
    if answer.status_code < 400:
        return
    # Some hosts repeat the request's signature in their errors, so only the code is shown.
    found = _XML_CODE.search(_beginning(answer))
    code = f" {found[1].decode()}" if found else ""
    text = f"{what}: the host that VirusTotal redirects to answered {answer.status_code}{code}"
    raise TransientError(text, retry_after(answer))


def _api_trouble(answer: Response, text: str) -> TransientError:
    # Only the API's host knows the key's quota.
    return TransientError(text, retry_after(answer), error_type="quota_spent" if answer.status_code == 429 else None)


def _own_error(body: bytes) -> tuple[str | None, str]:
    """Return code and message of a VirusTotal error; the code is empty for any other body."""
    try:
        error = json.loads(body)["error"]
        code = error["code"]
        message = error.get("message") or ""
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None, ""
    if not isinstance(code, str) or not _CODE.fullmatch(code):
        return None, ""
    return code, str(message)[:_SHOWN]


def _text(body: bytes) -> str:
    return " ".join(body.decode(errors="replace").split())[:_SHOWN]


def _beginning(answer: Response) -> bytes:
    """Return the first bytes of a body; a chunked response returns them in pieces."""
    body = bytearray()
    try:
        for piece in answer.iter_content(_MAX_ERROR_BYTES):
            body += piece
            if len(body) >= _MAX_ERROR_BYTES:
                break
    except (RequestException, HTTPError, OSError, ValueError):
        # The bytes before the connection broke must suffice; otherwise the error is transient.
        return bytes(body)
    return bytes(body)
