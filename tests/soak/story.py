"""The history of one minute, from the logs of every service that handled it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from infra.local.virustotal.feeds import package_name
from shared.contracts.minutes import format_minute, landing_name

_TIME = re.compile(r"(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)[.,]?(\d*)")


def minute_story(logs: Path, feed: str, minute: datetime) -> list[str]:
    """Return every log line that names a minute of a feed, in the order of their times."""
    names = (format_minute(minute), package_name(minute), landing_name(feed, minute))
    lines = sorted(line for log in sorted(logs.glob("*.log")) for line in _lines(log, feed, names))
    return [f"{moment} {part:<15} {text}" for moment, part, text in lines]


def _lines(log: Path, feed: str, names: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if feed in line and any(name in line for name in names):
                yield _moment(line), log.stem, _shortened(line.rstrip())


def _moment(line: str) -> str:
    try:
        return str(json.loads(line)["time"])
    except (ValueError, LookupError, TypeError):
        found = _TIME.search(line)
        # What is not JSON is in local time, and so is this.
        return datetime.fromisoformat(found[1]).astimezone(UTC).isoformat() if found else ""


def _shortened(line: str) -> str:
    try:
        entry = json.loads(line)
        return f"{entry['severity']} {entry['message']}"
    except (ValueError, LookupError, TypeError):
        return line[:300]
