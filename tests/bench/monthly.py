"""`make cost`: what a month of a feed costs, part by part, next to the predecessor's design; rewrites docs/cost.md.

Seconds of work are those of docs/performance.md where measured, and else assumptions of tests/bench/mesh_model.py.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from infra.local.virustotal.packages import Package
from infra.topology import read_topology
from shared.feeds.definition import find_feed, known_feeds
from tests.bench import prices
from tests.bench.billing import Load, Widths, ours, size, wide_table
from tests.bench.mesh_model import Speeds
from tests.bench.section import write_section
from tests.bench.volumes import LINE_BYTES, LINES_A_DAY, MINUTES_A_DAY, SEEN_BEFORE

DAYS = 30
_MERGES = 48
_MINUTES = DAYS * MINUTES_A_DAY
_MESSAGE_BYTES = 1000
# Landed packages: lifecycle and soft delete of infra/terraform.
_LANDED_DAYS = 30 + 7
# ISA-L gzip at level 1: 5.0 to 7.0 on ten real lines, 6.7 to 10.4 on 1,500 simulated ones; the least is the dearest.
_GZIP = 5.0
# docs/performance.md, packages of 100 MB: ours on 2 processors, the predecessor's loop on one.
_OUR_RATE, _THEIR_RATE = 30.0, 22.0
_PLAN_SECONDS = 2.0
_ACTIVE_DAYS = 90
# The predecessor's landing bucket: uncompressed, deleted after three days.
_THEIR_LANDED_DAYS = 3
# The only public figure: 328 million reports of files in a year (arXiv 2210.15973).
FILES_2021 = 328_000_000 / 365


@dataclass(frozen=True)
class Case:
    """A feed, its lines a day, and the month since its beginning."""

    feed: str
    lines_a_day: float
    month: float

    @property
    def megabytes(self) -> float:
        """JSON of one minute."""
        return self.lines_a_day * LINE_BYTES[self.feed] / MINUTES_A_DAY / 1e6

    @property
    def day(self) -> float:
        """The middle of the month."""
        return (self.month - 0.5) * DAYS

    @property
    def load(self) -> Load:
        """The rows that meet in a merge in the middle of the month, late in the day."""
        ids = self.day * self.lines_a_day * (1 - SEEN_BEFORE)
        return Load(self.lines_a_day / _MERGES, self.lines_a_day, ids)


def our_month(case: Case, widths: Widths) -> dict[str, float]:
    """Return the dollars of a month, by part."""
    fetching = Speeds.download_fixed_seconds + case.megabytes / _OUR_RATE
    loading = _load_seconds(case)
    scanned = sum(ours(case.load, widths).values())
    return {
        "Cloud Run": _run("downloader", fetching)
        + _run("loader", loading)
        + _run("merger", Speeds.merge_fixed_seconds, DAYS * _MERGES),
        # Two topics, each message published and pushed.
        "Pub/Sub": 4 * _MINUTES * _MESSAGE_BYTES * prices.MESSAGE_BYTES.dollars,
        "bucket": _bucket(case.megabytes / _GZIP, _LANDED_DAYS),
        "storage": _history_storage(case, widths)
        + case.load.current * widths.current * prices.ACTIVE_BYTES_MONTH.dollars,
        # landed and loaded; merged is written by the merge.
        "ledger": 2 * _MINUTES * _MESSAGE_BYTES * prices.INSERTED_BYTES.dollars,
        "merges": scanned * _MERGES * DAYS * prices.SCANNED_BYTES.dollars,
    }


def their_month(case: Case, widths: Widths) -> dict[str, float]:
    """Return the dollars of a month of the predecessor's design: the same packages into one wide table."""
    seconds = Speeds.download_fixed_seconds + case.megabytes / _THEIR_RATE + _load_seconds(case)
    one = seconds * (prices.VCPU_SECOND.dollars + prices.GIB_SECOND.dollars)
    return {
        "Cloud Run": _MINUTES * (one + prices.REQUEST.dollars),
        "bucket": _bucket(case.megabytes, _THEIR_LANDED_DAYS),
        "storage": case.load.current * (widths.id + widths.object) * prices.ACTIVE_BYTES_MONTH.dollars,
        "merges": wide_table(case.load, widths) * _MERGES * DAYS * prices.SCANNED_BYTES.dollars,
    }


def shared_month() -> float:
    """Return what all feeds share: the planner's calls, its schedules and the merger's, the secret."""
    calls = _run("planner", _PLAN_SECONDS, _MINUTES + DAYS * 144)
    return calls + 3 * prices.SCHEDULE.dollars + prices.SECRET_VERSION.dollars


def _run(service: str, seconds: float, requests: float = _MINUTES) -> float:
    declared = read_topology().services[service]
    gibibytes = float(declared.memory[:-2]) / {"Mi": 1024, "Gi": 1}[declared.memory[-2:]]
    second = int(declared.cpu) * prices.VCPU_SECOND.dollars + gibibytes * prices.GIB_SECOND.dollars
    return requests * (seconds * second + prices.REQUEST.dollars)


def _load_seconds(case: Case) -> float:
    return Speeds.load_fixed_seconds + case.megabytes * Speeds.load_seconds_a_megabyte


def _bucket(megabytes: float, days: float) -> float:
    kept = megabytes * 1e6 * MINUTES_A_DAY * days
    # Data and manifest are written; the manifest is looked for, read by the load and by the sweep.
    operations = 2 * prices.CLASS_A.dollars + 3 * prices.CLASS_B.dollars
    return kept * prices.OBJECT_BYTES_MONTH.dollars + _MINUTES * operations


def _history_storage(case: Case, widths: Widths) -> float:
    daily = case.lines_a_day * (16 + widths.id + widths.object)
    active = min(case.day, _ACTIVE_DAYS)
    old = case.day - active
    return daily * (active * prices.ACTIVE_BYTES_MONTH.dollars + old * prices.OLD_BYTES_MONTH.dollars)


@cache
def widths_of(feed: str, page: Path) -> Widths:
    """Return the bytes of a row: the id's from simulated lines, a current row's as `make bench-merge` measured it."""
    package = Package("7", feed, datetime(2025, 12, 31, tzinfo=UTC), 60)
    ids = [size(json.loads(line)["id"], "STRING") for line in package.lines_as_bytes()]
    text = page.read_text(encoding="utf-8")
    [current] = re.findall(rf"^- {feed}: .* (\d+) bytes a current row", text, re.MULTILINE)
    version = 8.0 * len(find_feed(feed).version)
    return Widths(sum(ids) / len(ids), LINE_BYTES[feed], float(current), version)


def month_table(month: int, page: Path) -> Iterator[str]:
    """Yield one month's lines, a feed a line."""
    parts = ("Cloud Run", "Pub/Sub", "bucket", "storage", "ledger", "merges")
    yield f"| feed, month {month} | lines a day | {' | '.join(parts)} | **ours, $** | predecessor, $ | of it merges |"
    yield f"|---|---:|{'---:|' * (len(parts) + 3)}"
    cases = [Case(feed, LINES_A_DAY, month) for feed in known_feeds()] + [Case("files", FILES_2021, month)]
    for case in cases:
        widths = widths_of(case.feed, page)
        mine, theirs = our_month(case, widths), their_month(case, widths)
        cells = " | ".join(_dollars(mine[part]) for part in parts)
        yield (
            f"| {case.feed} | {case.lines_a_day / 1e6:.1f} M | {cells} | **{_dollars(_total(mine))}** |"
            f" {_dollars(_total(theirs))} | {_dollars(theirs['merges'])} |"
        )


def section(page: Path) -> Iterator[str]:
    """Yield all lines of the section."""
    for month in (1, 12):
        yield from month_table(month, page)
        yield ""
    yield f"All feeds share the planner, three schedules and a secret: ${shared_month():.2f} a month."
    yield ""
    yield from prices.price_table()


def _total(parts: Mapping[str, float]) -> float:
    return sum(parts.values())


def _dollars(value: float) -> str:
    if value < 0.01:
        return "< 0.01"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def main() -> None:
    """Print the section, and write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, required=True, help="docs/cost.md: widths are read there, figures written")
    page = parser.parse_args().page
    lines = list(section(page))
    print("\n".join(lines))  # noqa: T201
    write_section(page, "month", lines)


if __name__ == "__main__":
    main()
