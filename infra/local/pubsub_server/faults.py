"""Bad days on request, for tests and soak runs: what goes wrong, where, and how often before it heals."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["delay", "duplicate", "reorder", "freeze", "refuse", "drop_answer"]
Code = Literal["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "ABORTED", "PERMISSION_DENIED"]


class Rule(BaseModel):
    """One fault.

    delay: a message may be delivered only after so many seconds; duplicate: an acknowledgement is forgotten, so the
    message comes again; reorder: newest first; freeze: nothing is delivered; refuse: a call ends with a gRPC status
    and does nothing; drop_answer: a publish is accepted, and its caller gets the status.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    name: str | None = Field(default=None, description="topic (drop_answer) or subscription (the others); none: all")
    method: str | None = Field(default=None, description="refuse: the call, as Publish; none: all")
    times: Annotated[int, Field(ge=1)] | None = Field(default=None, description="how often; none: until cleared")
    seconds: Annotated[float, Field(ge=0)] = 1.0
    code: Code = "UNAVAILABLE"


class Faults:
    """The rules in force; safe for several threads, for each step is one operation of the interpreter."""

    def __init__(self) -> None:
        self._rules: list[tuple[Rule, Iterator[int]]] = []

    def replace(self, rules: Iterable[Rule]) -> None:
        """Put these rules in force instead of all others."""
        self._rules = [(rule, iter(range(rule.times)) if rule.times else count()) for rule in rules]

    def fires(self, kind: Kind, name: str) -> Rule | None:
        """Return the rule that fires now, and count it; name is what `name` or, for refuse, `method` limits."""
        for rule, left in self._rules:
            wanted = rule.method if kind == "refuse" else rule.name
            if rule.kind == kind and wanted in (None, name) and next(left, None) is not None:
                return rule
        return None
