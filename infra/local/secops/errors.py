"""Responses other than an acceptance, as Google's APIs and their front ends send them."""

from infra.local.secops.faults import Method, Rule
from infra.local.web import Answer, Wire, html_answer, json_answer

BROKEN = Answer(200, b"{}", wire=Wire(stop_after=0, reset=True))
_BURST = "Burst limit exceeded. Try again in five minutes."
_DISABLED = "Chronicle API has not been used in this project before or it is disabled."
_ERRORS = {
    "unavailable": (503, "UNAVAILABLE", "The service is currently unavailable."),
    "internal": (500, "INTERNAL", "Internal error encountered."),
    "unauthorized": (401, "UNAUTHENTICATED", "Request had invalid authentication credentials."),
    "not_found": (404, "NOT_FOUND", "log type not found"),
    "bad_request": (400, "INVALID_ARGUMENT", "Request contains an invalid argument."),
    "aborted": (409, "ABORTED", "The operation was aborted."),
    "cancelled": (499, "CANCELLED", "The operation was cancelled."),
}
_PERMISSIONS: dict[Method, str] = {
    "import": "chronicle.logs.import",
    "log_types": "chronicle.logTypes.get",
    "forwarders": "chronicle.forwarders.list",
    "search": "chronicle.events.searchRawLogs",
    "parsers": "chronicle.parsers.run",
}
_PAGES = {
    "not_json": (502, "Bad gateway"),
    "not_found_html": (404, "The requested URL was not found on this server."),
    "too_large": (413, "Your client issued a request that was too large."),
    "html": (200, "Sign in to continue"),
}


def error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> Answer:
    """Return an error in the format of Google's APIs."""
    return json_answer(status, _body(status, code, message), headers)


def burst(headers: dict[str, str] | None = None) -> Answer:
    """Return the response beyond the burst limit."""
    return error(429, "RESOURCE_EXHAUSTED", _BURST, headers)


def too_large(status: int, limit: str) -> Answer:
    """Return the response to a request beyond a limit: a 400 names the limit, a 413 is a page of the front end."""
    if status == 413:
        return html_answer(*_PAGES["too_large"])
    return error(status, "INVALID_ARGUMENT", f"Request payload size exceeds the limit: {limit}.")


def refusal(rule: Rule, method: Method) -> Answer:
    """Return the response of a fault that accepts nothing."""
    if rule.kind == "rate_limited":
        return burst({} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)})
    if rule.kind == "forbidden":
        return error(403, "PERMISSION_DENIED", f"Permission '{_PERMISSIONS[method]}' denied on resource")
    if rule.kind in _ERRORS:
        return error(*_ERRORS[rule.kind])
    return html_answer(*_PAGES[rule.kind]) if rule.kind in _PAGES else _odd(rule.kind)


def _odd(kind: str) -> Answer:
    match kind:
        case "redirect":
            return Answer(302, headers={"Location": "/healthz"})
        case "error_body":
            return json_answer(200, _body(*_ERRORS["unavailable"]))
        case "service_disabled":
            return json_answer(403, _disabled())
    return BROKEN


def _body(status: int, code: str, message: str) -> dict[str, dict[str, object]]:
    return {"error": {"code": status, "message": message, "status": code}}


def _disabled() -> object:
    body = _body(403, "PERMISSION_DENIED", _DISABLED)
    reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "SERVICE_DISABLED"}
    body["error"]["details"] = [{**reason, "domain": "googleapis.com"}]
    return body
