"""Rules for bad days: what goes wrong, for which minutes, and how often before it heals."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from infra.local.virustotal.feeds import FEEDS, find_feed, parse_package_name

ANSWERS = (
    *("unauthorized", "forbidden", "missing", "rate_limited", "rate_limited_html", "unavailable"),
    *("deadline", "bad_request", "not_json_error"),
)
"""Faults that answer instead of the API."""

REDIRECTS = ("direct", "redirect_loop", "redirect_same_host")
"""Faults in how the API leads to the body."""

BODIES = (
    *("changed", "empty", "bad_lines", "mostly_bad", "big_line", "empty_lines", "crlf", "no_final_newline"),
    *("multi_stream", "gzip_body", "corrupt", "cut", "trailing_garbage", "html_body"),
)
"""Faults in the body, in the order in which they are worked into it; decided when the API answers."""

TRAVELS = ("slow", "reset", "short")
"""Faults on the way of the body; decided at each download."""

_KINDS = frozenset((*ANSWERS, *REDIRECTS, *BODIES, *TRAVELS))

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]


class Rule(BaseModel):
    """One fault. Without feed or minute it means all of them; with a rate, this share of minutes, chosen by the seed.

    times is how often it fires for one minute, total for all together; then it has healed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    feed: str | None = None
    minute: str | None = None
    rate: Share = 1.0
    times: Count | None = None
    total: Count | None = None

    retry_after: int | None = Field(default=None, description="rate_limited: seconds; none: no header")
    retry_after_form: Literal["seconds", "date"] = "seconds"
    seconds: float = Field(default=2.0, ge=0, description="slow: how long the body takes")
    at: Share = Field(default=0.5, description="cut, reset, short, corrupt: where in the body")
    count: Count = Field(default=1, description="bad_lines, empty_lines: how many")
    share: Share = Field(default=0.2, description="mostly_bad: share of lines")
    streams: Count = Field(default=3, description="multi_stream: how many")
    size: Count = Field(default=10_000_000, description="big_line: bytes")

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, kind: str) -> str:
        if kind not in _KINDS:
            raise ValueError(f"unknown fault {kind!r}; known faults: {', '.join(sorted(_KINDS))}")
        return kind

    @field_validator("feed")
    @classmethod
    def _known_feed(cls, feed: str | None) -> str | None:
        if feed is not None and find_feed(feed) is None:
            raise ValueError(f"unknown feed {feed!r}; known feeds: {', '.join(FEEDS)}")
        return feed and find_feed(feed)

    @field_validator("minute")
    @classmethod
    def _package_name(cls, minute: str | None) -> str | None:
        if minute is not None and parse_package_name(minute) is None:
            raise ValueError(f"{minute!r} is not a minute; write YYYYMMDDhhmm")
        return minute


@dataclass
class _Counted:
    rule: Rule
    fired: Counter[tuple[str, str]]


class FaultBook:
    """The rules in force, and how often each has fired."""

    def __init__(self, seed: str) -> None:
        self._seed = seed
        self._lock = Lock()
        self._counted: list[_Counted] = []

    @property
    def rules(self) -> list[Rule]:
        """The rules in force, in their order."""
        return [counted.rule for counted in self._counted]

    def replace(self, rules: Iterable[Rule]) -> None:
        """Put these rules in force instead of all others; none of them has fired yet."""
        with self._lock:
            self._counted = [_Counted(rule, Counter()) for rule in rules]

    def first(self, kinds: tuple[str, ...], feed: str, minute: str) -> Rule | None:
        """Fire the first of these kinds that is due for a minute; the later ones keep their turns."""
        with self._lock:
            for counted in self._due(kinds, feed, minute):
                counted.fired[feed, minute] += 1
                return counted.rule
        return None

    def all(self, kinds: tuple[str, ...], feed: str, minute: str) -> list[Rule]:
        """Fire every one of these kinds that is due for a minute; return them in the order of kinds."""
        with self._lock:
            due = self._due(kinds, feed, minute)
            for counted in due:
                counted.fired[feed, minute] += 1
        return [counted.rule for counted in due]

    def peek(self, kinds: tuple[str, ...], feed: str, minute: str) -> list[Rule]:
        """Return what all() would, and fire nothing."""
        with self._lock:
            return [counted.rule for counted in self._due(kinds, feed, minute)]

    def _due(self, kinds: tuple[str, ...], feed: str, minute: str) -> list[_Counted]:
        due = [counted for counted in self._counted if self._is_due(counted, kinds, feed, minute)]
        return sorted(due, key=lambda counted: kinds.index(counted.rule.kind)) if kinds is BODIES else due

    def _is_due(self, counted: _Counted, kinds: tuple[str, ...], feed: str, minute: str) -> bool:
        rule = counted.rule
        return (
            rule.kind in kinds
            and rule.feed in (None, feed)
            and rule.minute in (None, minute)
            and (rule.times is None or counted.fired[feed, minute] < rule.times)
            and (rule.total is None or counted.fired.total() < rule.total)
            and self._is_chosen(rule, feed, minute)
        )

    def _is_chosen(self, rule: Rule, feed: str, minute: str) -> bool:
        digest = hashlib.sha256(f"{self._seed}/{rule.kind}/{feed}/{minute}".encode()).digest()
        return int.from_bytes(digest[:4]) < rule.rate * 2**32
