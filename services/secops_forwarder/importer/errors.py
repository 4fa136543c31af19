"""How SecOps's responses map to errors.

Only a JSON object without `error` is an acceptance. 400 (in Google's JSON) and 413 are about the request; all other
refusals are conditions of the destination, such as a missing role binding, and go away without any change to the page.
All other responses are transient.
"""

from requests import Response

from shared.contracts.outcomes import DeadLetterType, MeshError, Misconfigured, TransientError
from shared.runtime.http_requests import retry_after
from shared.runtime.json_bytes import read_json
from shared.streams.definition import look_up

_SHOWN = 500
# Timeouts, quotas, aborted and cancelled calls: a retry may succeed.
_TRANSIENT = frozenset({408, 409, 425, 429, 499})
PERMISSION = "chronicle.logs.import"
_ASKING = "chronicle.logTypes.get"


class ImportRefused(MeshError):
    """SecOps refused the request itself, because of a log in it or its size; a retry cannot succeed."""

    error_type: DeadLetterType = "secops_refused"


class RequestTooLarge(ImportRefused):
    """The request exceeds the size limit of this tenant or of the front end."""

    error_type = "oversize"


class DestinationRefused(Misconfigured):
    """The instance accepts nothing until an operator fixes its configuration; the pages are fine."""


class LogTypeMissing(DestinationRefused):
    """The tenant has no log type of this name."""


def raise_for_log_type(answer: Response, log_type: str) -> None:
    """Raise the error of a response to logTypes.get, unless the log type exists."""
    if answer.status_code == 404 and _own_error(answer) is not None:
        raise LogTypeMissing(
            f"the tenant has no log type {log_type}: {_remedy(404, _own_error(answer), _ASKING)}. "
            "Its name ends in _CUSTOM unless it is one of Google's"
        )
    raise_for_refusal(answer, f"logTypes/{log_type}", _ASKING)


def raise_for_answer(answer: Response) -> None:
    """Raise the error of a response to logs:import, unless it is an acceptance."""
    raise_for_refusal(answer, "logs:import", PERMISSION)
    try:
        content = read_json(answer.content)
    except ValueError:
        content = None
    # A login page, or a gateway error with a success status.
    if not isinstance(content, dict) or "error" in content:
        raise TransientError(
            f"logs:import was answered {answer.status_code} with something that is not an acceptance: "
            f"{_message(answer, _own_error(answer))}"
        )


def raise_for_refusal(answer: Response, what: str, permission: str) -> None:
    """Raise the error of a response, unless its status is a success; `permission` is the one that the call needs."""
    status = answer.status_code
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DestinationRefused(
            f"{what} was answered {status}, a redirect, which no SecOps instance gives: "
            "check CHRONICLE_REGION, CHRONICLE_HOST and SECOPS_API_URL"
        )
    error = _own_error(answer)
    text = f"{what} was answered {status}: {_message(answer, error)}"
    if status in _TRANSIENT or status >= 500 or (status == 400 and error is None):
        raise TransientError(text, retry_after(answer), error_type="quota_spent" if status == 429 else None)
    if status == 413:
        raise RequestTooLarge(text)
    if status == 400:
        raise ImportRefused(text)
    raise DestinationRefused(f"{text}; {_remedy(status, error, permission)}")


def _remedy(status: int, error: object, permission: str) -> str:
    if status == 401:
        return f"the service account's token is not accepted: it needs {permission}"
    if status == 403 and _is_disabled(error):
        return "enable the Chronicle API (chronicle.googleapis.com) in the instance's project"
    if status == 403:
        return f"give the service account the permission {permission}; a new binding takes minutes"
    if error is None:
        return "check CHRONICLE_REGION, CHRONICLE_HOST and CHRONICLE_API_VERSION"
    return (
        "check that the stream's log type exists in the tenant (a new one takes hours), CHRONICLE_CUSTOMER_ID, "
        "CHRONICLE_PROJECT and CHRONICLE_REGION"
    )


def _is_disabled(error: object) -> bool:
    details = look_up(error, "details")
    reasons = [look_up(detail, "reason") for detail in details] if isinstance(details, list) else []
    return "SERVICE_DISABLED" in reasons


def _own_error(answer: Response) -> object:
    """Return the error in Google's JSON format (aip.dev/193), or None if there is none."""
    try:
        error = look_up(_first(read_json(answer.content)), "error")
    except ValueError:
        return None
    return error if isinstance(error, dict) else None


def _first(content: object) -> object:
    # Streaming methods return a list.
    return content[0] if isinstance(content, list) and content else content


def _message(answer: Response, error: object) -> str:
    status, message = look_up(error, "status"), look_up(error, "message")
    if message is None:
        # A proxy may answer with HTML.
        return answer.content[:_SHOWN].decode(errors="replace").strip().replace("\n", " ")
    return f"{status}: {message}"[:_SHOWN]
