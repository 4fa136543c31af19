"""Faults of the feeds: their kinds, and the minutes that they apply to."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from infra.local.faults import rules
from infra.local.faults.rules import AtLeastOne
from infra.local.virustotal import refusals
from infra.local.virustotal.feeds import FEEDS, find_feed, parse_package_name

ANSWERS = refusals.KINDS
"""Faults that replace the API's response."""

REDIRECTS = ("direct", "redirect_loop", "redirect_same_host", "redirect_encoded")
"""Faults of the redirect."""

BODIES = (
    *("changed", "empty", "bad_lines", "mostly_bad", "big_line", "empty_lines", "crlf", "no_final_newline"),
    *("byte_order_mark", "multi_stream", "gzip_body", "corrupt", "cut", "trailing_garbage", "trailing_padding"),
    *("html_body", "content_encoding"),
)
"""Faults of the body, in the order in which they are applied; chosen when the API responds."""

TRAVELS = ("slow", "reset", "short")
"""Faults of the transfer; chosen at each download."""

HOSTS = ("storage_error",)
"""Faults of the redirect's host; chosen at each download."""

Share = Annotated[float, Field(ge=0, le=1)]


class Rule(refusals.ApiRule):
    """One fault. Without feed or minute it applies to all; with a rate, to this share of minutes, chosen by the seed.

    times limits how often it fires for one minute, total for all minutes together. storage_error responds with `status`
    (none: 403) and XML, as object storage does.
    """

    kinds: ClassVar[frozenset[str]] = frozenset((*ANSWERS, *REDIRECTS, *BODIES, *TRAVELS, *HOSTS))
    selectors: ClassVar[tuple[str, ...]] = ("feed", "minute")
    counted_by: ClassVar[tuple[str, ...]] = ("feed", "minute")

    feed: str | None = None
    minute: str | None = None
    rate: Share = 1.0
    seconds: float = Field(default=2.0, ge=0, description="slow: duration of the transfer")
    at: Share = Field(default=0.5, description="cut, reset, short, corrupt: position in the body")
    count: AtLeastOne = Field(default=1, description="bad_lines, empty_lines: number; trailing_padding: NULs")
    share: Share = Field(default=0.2, description="mostly_bad: share of lines")
    streams: AtLeastOne = Field(default=3, description="multi_stream: number")
    size: AtLeastOne = Field(default=10_000_000, description="big_line: bytes")
    of: Literal["string", "array", "numbers"] = Field(default="string", description="big_line: type of value")
    coding: Literal["gzip", "deflate"] = Field(default="gzip", description="content_encoding: coding")

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


def fault_book(seed: str) -> rules.FaultBook[Rule]:
    """Return an empty book; the seed chooses the minutes of a rule with a rate."""
    return rules.FaultBook(partial(_is_chosen, seed))


def _is_chosen(seed: str, rule: Rule, request: Mapping[str, object]) -> bool:
    digest = hashlib.sha256(f"{seed}/{rule.kind}/{request['feed']}/{request['minute']}".encode()).digest()
    return int.from_bytes(digest[:4]) < rule.rate * 2**32
