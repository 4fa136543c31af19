"""Faults of the SecOps simulator."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from infra.local.faults import rules
from infra.local.faults.rules import AtLeastOne, Count

REFUSALS = (
    *("rate_limited", "unavailable", "internal", "not_json", "unauthorized", "forbidden", "service_disabled"),
    *("not_found", "not_found_html", "bad_request", "too_large", "aborted", "cancelled", "redirect", "html"),
    *("error_body", "reset"),
)
"""Faults that accept nothing."""

ACCEPTING = ("lost_answer", "late_answer", "slow")
"""Faults around a request that is accepted."""

LOSSES = ("never_arrives",)
"""Faults of requests without a source file name."""

Method = Literal["import", "log_types", "forwarders", "search", "parsers"]


class Rule(rules.Rule):
    """One fault, fired once unless `times` is set.

    The rule applies to logs:import unless `method` names another (None: all); a log_type limits it to requests of that
    type, a log to requests that contain the log with this key (a notification's id).

    html: 200 with a login page; error_body: 200 with Google's error; service_disabled: the API is disabled;
    not_found_html: the host of another region. lost_answer and late_answer accept the request; then the connection
    breaks, or the response takes `seconds`. slow waits `seconds` and then accepts; reset breaks the connection and
    accepts nothing; redirect leads to a page that serves every GET. never_arrives accepts a request without
    sourceFilename, and its logs are never found (github.com/google/secops-wrapper/issues/213).
    """

    kinds: ClassVar[frozenset[str]] = frozenset((*REFUSALS, *ACCEPTING, *LOSSES))
    selectors: ClassVar[tuple[str, ...]] = ("method", "log_type", "log")

    times: AtLeastOne | None = 1
    method: Method | None = "import"
    log_type: str | None = None
    log: str | None = None
    retry_after: Count | None = None
    seconds: Annotated[float, Field(ge=0)] = 1.0
