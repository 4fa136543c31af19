"""Faults of the embedded Pub/Sub, for tests and soak runs."""

from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from infra.local.faults import rules

Kind = Literal["delay", "duplicate", "reorder", "freeze", "refuse", "drop_answer"]
Code = Literal["UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL", "ABORTED", "PERMISSION_DENIED"]


class Rule(rules.Rule):
    """One fault.

    delay: a message is delivered only after `seconds`; duplicate: an acknowledgement is ignored, so the message is
    delivered again; reorder: newest first; freeze: nothing is delivered; refuse: a call does nothing and returns a gRPC
    status; drop_answer: a publish is accepted, and its caller gets the status.
    """

    kinds: ClassVar[frozenset[str]] = frozenset(get_args(Kind))
    selectors: ClassVar[tuple[str, ...]] = ("name", "method")

    name: str | None = Field(default=None, description="topic (drop_answer) or subscription (the others); none: all")
    method: str | None = Field(default=None, description="refuse: the call, as Publish; none: all")
    seconds: Annotated[float, Field(ge=0)] = 1.0
    code: Code = "UNAVAILABLE"


class Faults(rules.FaultBook[Rule]):
    """The active rules."""

    def fires(self, kind: Kind, name: str) -> Rule | None:
        """Fire a rule if one is due; name is matched with the rule's `name`, or with its `method` for refuse."""
        return self.first((kind,), method=name) if kind == "refuse" else self.first((kind,), name=name)
