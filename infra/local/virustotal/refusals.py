"""Error responses of the API's host: VirusTotal's errors, and those of proxies in between."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Annotated, Literal

from pydantic import Field

from infra.local.faults import rules
from infra.local.virustotal import errors
from infra.local.web import Answer, html_answer, json_answer

KINDS = (
    *("unauthorized", "forbidden", "missing", "rate_limited", "rate_limited_html", "unavailable"),
    *("deadline", "bad_request", "not_json_error", "not_available_yet", "no_message", "proxy"),
)


class ApiRule(rules.Rule):
    """A fault of the API's host.

    not_available_yet is a 400 with `code` (none: NotAvailableYetError); no_message is an error without a message, with
    `status` (none: 400) and `code` (none: NotAvailableYet); proxy is an HTML page with `status` (none: 403).
    """

    retry_after: int | None = Field(default=None, description="rate_limited: seconds; none: no header")
    retry_after_form: Literal["seconds", "date"] = "seconds"
    status: Annotated[int, Field(ge=400, le=599)] | None = None
    code: str | None = None


def refuse(rule: ApiRule, what: str, now: datetime) -> Answer:
    """Return the response of a fault about `what`; now is used for a Retry-After date."""
    if rule.kind == "rate_limited":
        return errors.error(429, "QuotaExceededError", "Quota exceeded", _retry_after(rule, now))
    return _ANSWERS[rule.kind](rule, what)


def _retry_after(rule: ApiRule, now: datetime) -> dict[str, str]:
    if rule.retry_after is None:
        return {}
    if rule.retry_after_form == "seconds":
        return {"Retry-After": str(rule.retry_after)}
    return {"Retry-After": format_datetime(now + timedelta(seconds=rule.retry_after), usegmt=True)}


def _no_message(rule: ApiRule, _: str) -> Answer:
    # vt-py also accepts an error without a message.
    return json_answer(rule.status or 400, {"error": {"code": rule.code or "NotAvailableYet"}})


_ANSWERS: dict[str, Callable[[ApiRule, str], Answer]] = {
    "unauthorized": lambda _rule, _what: errors.key_wrong(),
    "forbidden": lambda _, what: errors.error(403, "ForbiddenError", f"This key has no licence for {what}"),
    "missing": lambda _, what: errors.not_found(what),
    "rate_limited_html": lambda _rule, _what: html_answer(429, "Too many requests. Come back later."),
    "unavailable": lambda _rule, _what: errors.error(503, "TransientError", "Transient error, try again"),
    "deadline": lambda _rule, _what: errors.error(504, "DeadlineExceededError", "The operation took too long"),
    "bad_request": lambda _rule, _what: errors.error(400, "InvalidArgumentError", "Invalid argument"),
    "not_json_error": lambda _rule, _what: html_answer(500, "Server error."),
    "not_available_yet": lambda rule, what: errors.error(
        400, rule.code or "NotAvailableYetError", f"{what} is not available yet"
    ),
    "no_message": _no_message,
    "proxy": lambda rule, _: html_answer(rule.status or 403, "A proxy sent this response."),
}
