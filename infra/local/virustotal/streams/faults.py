"""Bad days of the lists: what goes wrong, after how many good requests, and how often before it heals."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from infra.local.virustotal import errors
from infra.local.web import Answer

Count = Annotated[int, Field(ge=0)]


class ListRule(BaseModel):
    """One thing that goes wrong: after so many requests of this path, so many times (None: always)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    path: str | None = None
    after: Count = 0
    times: Count | None = 1
    retry_after: Count | None = None

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in _ANSWERS:
            raise ValueError(f"unknown fault {kind!r}; known faults: {', '.join(sorted(_ANSWERS))}")
        return kind


def _rate_limited(rule: ListRule) -> Answer:
    headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
    return errors.error(429, "QuotaExceededError", "Quota exceeded", headers)


_HTML_429 = b"<!doctype html><title>429</title><p>Too many requests. Come back later.</p>\n"
_ANSWERS: dict[str, Callable[[ListRule], Answer]] = {
    "rate_limited": _rate_limited,
    "rate_limited_html": lambda _: Answer(429, _HTML_429, {"Content-Type": "text/html; charset=utf-8"}),
    "unavailable": lambda _: errors.error(503, "TransientError", "Transient error, try again"),
    "unauthorized": lambda _: errors.key_wrong(),
    "forbidden": lambda _: errors.error(403, "ForbiddenError", "This key has no licence for this list"),
    "not_json": lambda _: Answer(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"}),
    "no_data": lambda _: Answer(200, b"{}", {"Content-Type": "application/json"}),
    "bad_cursor": lambda _: errors.error(400, "BadRequestError", "Invalid cursor"),
}


@dataclass
class _Counted:
    rule: ListRule
    seen: int = 0
    fired: int = 0


class ListFaults:
    """The rules in force."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counted: list[_Counted] = []

    def replace(self, rules: Iterable[ListRule]) -> None:
        """Put these rules in force instead of all others."""
        with self._lock:
            self._counted = [_Counted(rule) for rule in rules]

    def answer(self, path: str) -> Answer | None:
        """Return what goes wrong with this request, if anything; every rule counts every request of its path."""
        with self._lock:
            due = [one for one in self._counted if one.rule.path in (None, path) and self._is_due(one)]
            if not due:
                return None
            due[0].fired += 1
            return _ANSWERS[due[0].rule.kind](due[0].rule)

    def _is_due(self, one: _Counted) -> bool:
        one.seen += 1
        return one.seen > one.rule.after and (one.rule.times is None or one.fired < one.rule.times)
