"""What SecOps's answers mean to a page."""

from datetime import UTC, datetime

from requests import Response

from shared.json_bytes import read_json
from shared.outcomes import MeshError, Misconfigured, Retryable
from shared.streams import look_up
from shared.virustotal.errors import retry_after

_SHOWN = 500
_RETRYABLE = frozenset({408, 429})
PERMISSION = "chronicle.logs.import"


class SecOpsTrouble(Retryable):
    """SecOps or the way to it is in a bad state; retry_after is in seconds when it named a time."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class ImportRefused(MeshError):
    """SecOps refused the request itself; sending it again changes nothing."""


def raise_for_answer(answer: Response) -> None:
    """Raise what an answer means, unless it is a success."""
    status = answer.status_code
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise Misconfigured(
            f"logs:import was answered {status}, a redirect, which no SecOps instance gives: "
            "check CHRONICLE_REGION, CHRONICLE_HOST and SECOPS_API_URL"
        )
    text = f"logs:import was answered {status}: {_message(answer)}"
    if status in _RETRYABLE or status >= 500:
        raise SecOpsTrouble(text, retry_after(answer.headers.get("Retry-After"), datetime.now(UTC)))
    if status == 401:
        raise Misconfigured(f"{text}; the service account's token is not accepted: it needs {PERMISSION}")
    if status == 403:
        raise ImportRefused(f"{text}; the service account lacks the permission {PERMISSION}")
    raise ImportRefused(text)


def _message(answer: Response) -> str:
    # A proxy on the way may answer HTML.
    try:
        error = look_up(read_json(answer.content), "error")
    except ValueError:
        error = None
    status, message = look_up(error, "status"), look_up(error, "message")
    if message is None:
        return answer.content[:_SHOWN].decode(errors="replace").strip().replace("\n", " ")
    return f"{status}: {message}"[:_SHOWN]
