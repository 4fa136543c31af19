"""docs/operations.md describes the log lines and the metrics derived from them, compared with real lines."""

import json
import logging
import re
from typing import Any

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from services.loader.dead import DeadLetters
from services.secops_forwarder.importer.chunks import Limits
from shared.contracts.messages import FEED_MINUTES
from shared.contracts.outcomes import Poison, Retryable
from shared.contracts.push_envelope import Delivery, read_delivery
from shared.runtime.http_responses import answer_each
from shared.runtime.logs import JsonFormatter
from shared.runtime.push import answer_push
from shared.virustotal.errors import KeyRefused
from tests.support.doubles import NOON, Clock
from tests.support.memory import MemoryLedger, MemoryPublisher
from tests.support.paths import REPOSITORY
from tests.support.streams import ForwarderHarness
from tests.unit.services.planner.test_sweep import SweeperHarness

PAGE = (REPOSITORY / "docs/operations.md").read_text(encoding="utf-8")
FIGURES = PAGE.partition("## How to draw figures from the logs")[2].partition("\n## ")[0]
COUNTERS = {
    name: (re.findall(r"`(.+?)`", events), error_type)
    for name, events, error_type in re.findall(r"^\| `(\w+)` \| (`.+?`) \| (?:`(\w+)` )?\|", FIGURES, re.M)
}
NUMBERS = re.findall(r"^\| `(\w+)` \| [^`]", FIGURES, re.M)
BODY = {"feed": "domains", "minute": "2026-11-21T10:50:00Z"}
PUSH = {"message": {"data": "e30=", "messageId": "17", "attributes": BODY}, "subscription": "s", "deliveryAttempt": 3}


class Written(logging.Handler):
    """Keeps every line in Cloud Logging's format."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[dict[str, Any]] = []
        self.setFormatter(JsonFormatter("p"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """Run parts of the mesh, with and without failures, and return their log lines."""
    written = Written()
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(written)
    for error in (
        Poison("source_changed", "other content"),
        Retryable("slow down", error_type="quota_spent"),
        KeyRefused("not this one"),
        Retryable("quota exceeded, answered 429, answered 401, says a stranger"),
        KeyError("x"),
    ):
        push(error)
    answer_each(["domains"], lambda _: 1 / 0)
    DeadLetters(ledger=MemoryLedger(), now=Clock()).record(read_delivery(json.dumps(PUSH).encode()))
    SweeperHarness().sweep()
    deliver_a_page_with_an_item_too_large()
    root.removeHandler(written)
    root.setLevel(level)
    return written.lines


def push(error: Exception) -> None:
    """Handle a push whose work ends like this."""

    def work(_: Delivery) -> None:
        raise error

    request = Request(EnvironBuilder(method="POST", data=json.dumps(PUSH)).get_environ())
    answer_push(request, work, topic=FEED_MINUTES, publisher=MemoryPublisher)


def deliver_a_page_with_an_item_too_large() -> None:
    """Deliver a page of two items, one of which is too large for any request."""
    harness = ForwarderHarness()
    harness.source.add(NOON)
    harness.source.add(NOON, size=20_000)
    harness.poll()
    [message] = harness.messages()
    harness.importer(limits=Limits(bytes=15_000, logs=10)).handle(message)


def counted(metric: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines that a metric counts."""
    events, error_type = COUNTERS[metric]
    return [line for line in lines if line.get("event") in events and error_type in ("", line.get("error_type"))]


@pytest.mark.parametrize(
    ("metric", "times"),
    [
        ("poison", 1),
        ("retries", 3),
        ("key_refused", 1),
        ("quota", 1),
        ("defects", 1),
        ("failed_runs", 1),
        ("dead", 1),
        ("pages_delivered", 1),
        ("oversize", 1),
    ],
)
def test_a_metric_counts_the_lines_that_are_written(lines: list[dict[str, Any]], metric: str, times: int) -> None:
    """Each line is counted as often as it was written, and no other line."""
    assert len(counted(metric, lines)) == times


@pytest.mark.parametrize(
    "metric", ["landed", "loaded", "merged", "folded", "failed_folds", "absent", "too_late", "not_licensed"]
)
def test_the_other_metrics_count_lines_of_the_code(metric: str) -> None:
    """These parts need a source or a warehouse to run."""
    files = [file for part in ("services", "shared") for file in (REPOSITORY / part).rglob("*.py")]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    named = re.findall(r"log\.\w+\(\s*\"([a-z]+\.[a-z_]+)[:\"]", code)
    assert COUNTERS[metric][0]
    assert set(COUNTERS[metric][0]) <= set(named)


def test_a_line_has_the_fields_that_the_page_lists(lines: list[dict[str, Any]]) -> None:
    """Lines of a push have the documented fields only, with a stack trace for unexpected errors."""
    [defect] = counted("defects", lines)
    assert {"severity", "message", "time", "logger", "feed", "minute", "message_id", "delivery_attempt"} < set(defect)
    assert (defect["feed"], defect["delivery_attempt"], defect["severity"]) == ("domains", 3, "ERROR")
    assert "KeyError" in defect["stack_trace"]
    assert defect["logging.googleapis.com/trace"].startswith("projects/p/traces/")
    table = PAGE.partition("| field | content |")[2].partition("\n\n")[0]
    documented = {name for cell in re.findall(r"^\| (`.+?) \|", table, re.M) for name in re.findall(r"`(.+?)`", cell)}
    assert {name for line in lines for name in line} == documented


def test_a_sweep_says_the_figures(lines: list[dict[str, Any]]) -> None:
    """Every figure on the page is a number in its line."""
    [sweep] = counted("sweeps", lines)
    assert NUMBERS
    assert all(isinstance(sweep[name], int | float) for name in NUMBERS)


def test_the_page_and_terraform_name_the_same_metrics() -> None:
    """Page and Terraform have the same events and error types."""
    declared = (REPOSITORY / "infra/terraform/monitoring_metrics.tf").read_text(encoding="utf-8")
    counters = re.findall(r'^    (\w+) += \{ events = \[(.+?)\],(?: error_type = "(\w+)",)? ', declared, re.M)
    assert {name: (re.findall(r'"(.+?)"', events), kind) for name, events, kind in counters} == COUNTERS
    assert re.findall(r"^    (\w+) += \{ description", declared, re.M) == NUMBERS
