"""Bad days of SecOps: what goes wrong, after how many requests, and how often before it heals."""

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=0)]
Kind = Literal[
    "rate_limited",
    "unavailable",
    "internal",
    "not_json",
    "unauthorized",
    "forbidden",
    "not_found",
    "bad_request",
    "redirect",
    "lost_answer",
    "late_answer",
    "reset",
    "slow",
]


class Rule(BaseModel):
    """One thing that goes wrong: after so many requests, so many times (None: always).

    lost_answer and late_answer accept the request; then the connection breaks, or the answer takes `seconds`. slow
    takes `seconds` and then accepts; reset breaks the connection and accepts nothing; redirect leads to a page that
    answers every GET.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    after: Count = 0
    times: Count | None = 1
    retry_after: Count | None = None
    seconds: Annotated[float, Field(ge=0)] = 1.0


@dataclass
class _Counted:
    rule: Rule
    seen: int = 0
    fired: int = 0


class FaultBook:
    """The rules in force; every rule counts every request, and the first that is due fires."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counted: list[_Counted] = []

    def replace(self, rules: Iterable[Rule]) -> None:
        """Put these rules in force instead of all others."""
        with self._lock:
            self._counted = [_Counted(rule) for rule in rules]

    def fire(self) -> Rule | None:
        """Return what goes wrong with this request, if anything."""
        with self._lock:
            due = [one for one in self._counted if self._is_due(one)]
            if not due:
                return None
            due[0].fired += 1
            return due[0].rule

    def _is_due(self, one: _Counted) -> bool:
        one.seen += 1
        return one.seen > one.rule.after and (one.rule.times is None or one.fired < one.rule.times)
