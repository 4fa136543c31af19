"""Faults of the lists."""

from dataclasses import replace
from typing import ClassVar

from infra.local.faults.rules import AtLeastOne
from infra.local.virustotal import errors, refusals
from infra.local.virustotal.bodies import encode
from infra.local.web import Answer, json_answer

_OWN = {
    "not_json": Answer(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"}),
    "no_data": Answer(200, b"{}", {"Content-Type": "application/json"}),
    "bad_cursor": errors.error(400, "BadRequestError", "Invalid cursor"),
    "no_success": json_answer(200, {"success": False, "message": "Something went wrong", "result": None}),
    "timed_out": json_answer(200, {"success": True, "result": {"timed_out": True, "hits": [], "total_hits": 0}}),
}
KINDS = (*refusals.KINDS, *_OWN)
"""Faults that replace the list's response."""

ENCODING = ("content_encoding",)
"""The normal response, with a Content-Encoding that was not requested."""


class ListRule(refusals.ApiRule):
    """One fault of a list (none: of both), fired once unless `times` is set."""

    kinds: ClassVar[frozenset[str]] = frozenset((*KINDS, *ENCODING))
    selectors: ClassVar[tuple[str, ...]] = ("path",)

    path: str | None = None
    times: AtLeastOne | None = 1


def own_answer(rule: ListRule) -> Answer | None:
    """Return the response of a fault that only lists have."""
    return _OWN.get(rule.kind)


def encoded(answer: Answer) -> Answer:
    """Return a response with gzip encoding."""
    return replace(answer, body=encode(answer.body, "gzip"), headers={**answer.headers, "Content-Encoding": "gzip"})
