"""What docs/operations.md says of log lines and of the metrics drawn from them, held against lines as written."""

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from flask import Request
from werkzeug.test import EnvironBuilder

from services.loader.dead import DeadLetters
from shared.answers import answer_each
from shared.envelope import Delivery, read_delivery
from shared.logs import JsonFormatter
from shared.memory import MemoryLedger, MemoryPublisher
from shared.messages import FEED_MINUTES
from shared.outcomes import Poison, Retryable
from shared.push import answer_push
from shared.secops.chunks import Limits
from shared.virustotal.errors import KeyRefused
from tests.doubles import NOON, Clock
from tests.streams import World
from tests.unit.planner.test_sweep import House

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
FIGURES = PAGE.partition("## How to draw figures from the logs")[2].partition("\n## ")[0]
PATTERNS = {name: text.replace("\\|", "|") for name, text in re.findall(r"^\| `(\w+)` \| `(.+?)` \|", FIGURES, re.M)}
NUMBERS = re.findall(r"^\| `(\w+)` \| [^`]", FIGURES, re.M)
BODY = {"feed": "domains", "minute": "2026-11-21T10:50:00Z"}
PUSH = {"message": {"data": "e30=", "messageId": "17", "attributes": BODY}, "subscription": "s", "deliveryAttempt": 3}


class Written(logging.Handler):
    """Keeps every line as Cloud Logging would get it."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.lines: list[dict[str, Any]] = []
        self.setFormatter(JsonFormatter("p"))

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line."""
        self.lines.append(json.loads(self.format(record)))


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    """Let parts of the mesh do their work, well and badly, and return what they wrote."""
    written = Written()
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    root.addHandler(written)
    for error in (Poison("no licence"), Retryable("429 quota exceeded"), KeyRefused("answered 401"), KeyError("x")):
        push(error)
    answer_each(["domains"], lambda _: 1 / 0)
    DeadLetters(ledger=MemoryLedger(), now=Clock()).record(read_delivery(json.dumps(PUSH).encode()))
    House().sweep()
    deliver_a_page_with_an_item_too_large()
    root.removeHandler(written)
    root.setLevel(level)
    return written.lines


def push(error: Exception) -> None:
    """Answer a push whose work ends so."""

    def work(_: Delivery) -> None:
        raise error

    request = Request(EnvironBuilder(method="POST", data=json.dumps(PUSH)).get_environ())
    answer_push(request, work, topic=FEED_MINUTES, publisher=MemoryPublisher)


def deliver_a_page_with_an_item_too_large() -> None:
    """Deliver a page of two items, one of which fits into no request."""
    world = World()
    world.source.add(NOON)
    world.source.add(NOON, size=20_000)
    world.poll()
    [message] = world.messages()
    world.importer(limits=Limits(bytes=15_000, logs=10)).handle(message)


def counted(pattern: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines that a metric counts."""
    return [line for line in lines if re.search(pattern, line["message"])]


@pytest.mark.parametrize(
    ("metric", "times"),
    [
        ("poison", 1),
        ("retries", 2),
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
    """Each as often as it happened, and no other line."""
    assert len(counted(PATTERNS[metric], lines)) == times


@pytest.mark.parametrize("metric", ["landed", "loaded", "merged", "absent", "too_late"])
def test_the_other_metrics_count_lines_of_the_code(metric: str) -> None:
    """Whose parts take a source or a warehouse to run."""
    files = [file for part in ("services", "shared") for file in (ROOT / part).rglob("*.py")]
    code = "".join(file.read_text(encoding="utf-8") for file in files)
    assert any(re.search(PATTERNS[metric], text) for text in re.findall(r"log\.\w+\(\s*\"(.+?)\"", code))


def test_a_line_has_the_fields_that_the_page_lists(lines: list[dict[str, Any]]) -> None:
    """Those of a push, with a stack where something was not foreseen; and no field that the page does not know."""
    [defect] = counted(PATTERNS["defects"], lines)
    assert {"severity", "message", "time", "logger", "feed", "minute", "message_id", "delivery_attempt"} < set(defect)
    assert (defect["feed"], defect["delivery_attempt"], defect["severity"]) == ("domains", 3, "ERROR")
    assert "KeyError" in defect["stack_trace"]
    assert defect["logging.googleapis.com/trace"].startswith("projects/p/traces/")
    table = PAGE.partition("| field | holds |")[2].partition("\n\n")[0]
    documented = {name for cell in re.findall(r"^\| (`.+?) \|", table, re.M) for name in re.findall(r"`(.+?)`", cell)}
    assert {name for line in lines for name in line} == documented


def test_a_sweep_says_the_figures(lines: list[dict[str, Any]]) -> None:
    """Every one that the page lists is a number on its line."""
    [sweep] = counted("^planner.sweep:", lines)
    assert NUMBERS
    assert all(isinstance(sweep[name], int | float) for name in NUMBERS)


def test_the_page_and_terraform_name_the_same_metrics() -> None:
    """With the same patterns."""
    declared = (ROOT / "infra/terraform/monitoring_metrics.tf").read_text(encoding="utf-8")
    counters = re.findall(r'^    (\w+) += \{ pattern = "(.+?)", ', declared, re.M)
    assert {name: pattern.replace("\\\\", "\\") for name, pattern in counters} == PATTERNS
    assert re.findall(r"^    (\w+) += \{ description", declared, re.M) == NUMBERS
