"""The parsers for SecOps with their sample pages, and the records that the interpreter makes of an item.

Run as a module (`python -m tests.support.parser_samples`), it rewrites the expected records of the sample
pages: read the difference before you commit it.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import product
from pathlib import Path

from infra.local.secops.parsing.interpreter import STRICT, run_parser
from infra.local.secops.parsing.proto_json import as_json
from infra.local.secops.parsing.state import Dialect, Null
from infra.local.secops.parsing.syntax import Statement, read_parser
from infra.local.secops.parsing.udm import problems
from services.secops_forwarder.importer.cleaning import write_cleaned
from tests.support.paths import REPOSITORY, SAMPLES

CONTENT = REPOSITORY / "infra" / "secops"
REAL_PAGES = sorted((SAMPLES / "ioc_stream").glob("*.json"))
RECEIVED = datetime(2026, 6, 2, tzinfo=UTC)
NULLS: tuple[Null, ...] = ("missing", "unusable", "text", "empty")
# Every way to read what Google's pages leave open.
DIALECTS = [
    Dialect(null, numbers_as_text=lenient, texts_to_text=not lenient, shared_merges=shared)
    for null, (lenient, shared) in product(NULLS, ((False, False), (True, True)))
]

Item = dict[str, object]


@dataclass(frozen=True)
class OwnParser:
    """The parser for the items of a stream or feed, and its sample pages."""

    stream: str
    name: str

    @cached_property
    def text(self) -> str:
        """The parser itself."""
        return (CONTENT / f"{self.name}.conf").read_text(encoding="utf-8")

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What the parser does."""
        return read_parser(self.text)

    @property
    def pages(self) -> list[Path]:
        """The sample pages."""
        folder = CONTENT / "samples" / self.stream
        return sorted(page for page in folder.glob("*.json") if not page.name.endswith(".udm.json"))

    @property
    def items(self) -> list[Item]:
        """The items of all sample pages."""
        return [item for page in self.pages for item in items_of(page)]

    @property
    def fields(self) -> frozenset[str]:
        """The names that an item has."""
        return frozenset(name for item in self.items for name in item)

    def records_of(self, log: str, dialect: Dialect = STRICT) -> list[Item]:
        """Return the records of a log as JSON; an event without a date of its own is without a time."""
        records = run_parser(self.statements, log, RECEIVED, dialect)
        for record in records:
            event = record.get("event")
            if isinstance(event, dict) and event["metadata"]["event_timestamp"] == RECEIVED:
                del event["metadata"]["event_timestamp"]
        return [{name: as_json(content) for name, content in record.items()} for record in records]

    def event_of(self, item: Item) -> Item:
        """Return the event of an item."""
        event = self.records_of(json.dumps(item))[0]["event"]
        assert isinstance(event, dict)
        return event

    def valid(self, log: str, dialect: Dialect = STRICT) -> bool:
        """Return whether the records of a log keep to UDM."""
        records = run_parser(self.statements, log, RECEIVED, dialect)
        return not [problem for record in records for problem in problems(record)]

    def same_in_every_reading(self, item: Item) -> list[Item]:
        """Return the records of an item, which are the same verbatim and cleaned and in every dialect."""
        first, *others = (self.records_of(log, dialect) for log, dialect in product(logs_of(item), DIALECTS))
        assert all(other == first for other in others)
        return first


NOTIFICATIONS = OwnParser("ioc_stream", "gti_ioc_stream")
ALERTS = OwnParser("dtm_alerts", "gti_dtm_alerts")
ISSUES = OwnParser("asm_issues", "gti_asm_issues")
LISTED = OwnParser("threat_lists", "gti_ioc_stream")
PARSERS = (NOTIFICATIONS, ALERTS, ISSUES, LISTED)


def items_of(page: Path) -> list[Item]:
    """Return the items of a page."""
    items: list[Item] = json.loads(page.read_bytes())["data"]
    return items


def expected_of(page: Path) -> list[list[Item]]:
    """Return the expected records of each item of a page."""
    expected: list[list[Item]] = json.loads(page.with_suffix(".udm.json").read_bytes())
    return expected


def logs_of(item: Item) -> list[str]:
    """Return an item as it is sent: verbatim, and cleaned."""
    return [json.dumps(item), write_cleaned(item).decode()]


if __name__ == "__main__":
    for parser in PARSERS:
        for sample in parser.pages:
            records = [parser.records_of(json.dumps(item)) for item in items_of(sample)]
            sample.with_suffix(".udm.json").write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
