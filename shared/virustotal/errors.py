"""What VirusTotal's answers mean.

Codes and texts: docs.virustotal.com/reference/errors. An answer about ONE package (not out yet, missing) is no error of
the source; 429, 5xx, 401 and the network are, and everything should slow down for them.
"""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from requests import RequestException, Response

from shared.outcomes import MeshError, Retryable

_SHOWN = 300
# An error of the API has some hundred bytes; whoever sends gigabytes is not listened to.
_MOST_ERROR_BYTES = 64 * 1024


class NotAvailableYet(MeshError):
    """The package is younger than the source's availability."""


class PackageMissing(MeshError):
    """The source has no such package."""


class NotLicensed(MeshError):
    """The key's owner may not read this feed."""


class RequestRefused(MeshError):
    """The request itself is wrong; asking again changes nothing."""


class SourceTrouble(Retryable):
    """The source or the way to it is in a bad state; retry_after is in seconds when the source named a time."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class KeyRefused(Retryable):
    """The source refused the API key; an operator has to act, and no minute is to blame."""


def raise_for_answer(answer: Response, what: str) -> None:
    """Raise what an answer means, unless it is a success or a redirect."""
    status = answer.status_code
    if status < 400:
        return
    code, message = _error(answer)
    text = f"{what}: VirusTotal answered {status} {code}: {message}"
    if status == 429 or status >= 500:
        raise SourceTrouble(text, retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)))
    if status == 401:
        raise KeyRefused(f"{text}; check VT_API_KEY or the secret named by VT_API_KEY_SECRET")
    if status == 403:
        raise NotLicensed(f"{text}; the key's owner has no licence for it")
    if status == 404:
        raise PackageMissing(text)
    if status == 400 and code == "NotAvailableYet":
        raise NotAvailableYet(text)
    raise RequestRefused(text)


def _error(answer: Response) -> tuple[str, str]:
    # The edge answers HTML now and then, so a body need not be what the reference says.
    body = _beginning(answer)
    try:
        error = json.loads(body)["error"]
        return str(error["code"]), str(error["message"])[:_SHOWN]
    except (ValueError, LookupError, TypeError, RecursionError):
        return "without a JSON error", body.decode(errors="replace")[:_SHOWN].strip().replace("\n", " ")


def _beginning(answer: Response) -> bytes:
    try:
        beginning: bytes = next(answer.iter_content(_MOST_ERROR_BYTES), b"")
    except RequestException:
        # The status says enough when the connection breaks behind it.
        return b""
    return beginning


def retry_after(header: str | None, now: datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for, in either of its forms; None when it says nothing."""
    if not header:
        return None
    # isdecimal alone would let other scripts' digits through, and isdigit superscripts.
    if header.isascii() and header.strip().isdecimal():
        return float(header)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
