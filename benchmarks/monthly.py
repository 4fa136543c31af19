"""`make cost`: what a month of a feed costs, part by part, next to the predecessor's design; rewrites docs/cost.md.

Seconds of work are those of docs/performance.md where measured, and else assumptions of benchmarks/mesh_model.py.
"""

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from benchmarks import prices
from benchmarks.billing import Load, Widths, ours, size, wide_table
from benchmarks.mesh_model import Speeds
from benchmarks.section import write_section
from benchmarks.volumes import LINE_BYTES, LINES_A_DAY, LIST_LINE_BYTES, MERGES_A_DAY, MINUTES_A_DAY, SEEN_BEFORE
from infra.local.virustotal.packages import Package
from infra.topology import read_topology
from shared.contracts.minutes import ONE_MINUTE
from shared.feeds.definition import THREAT_LISTS, find_feed
from shared.virustotal.threat_lists import LISTS

DAYS = 30
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
_KEPT_DAYS = 14
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
    merges_a_day: int = MERGES_A_DAY

    @property
    def megabytes(self) -> float:
        """JSON of one package."""
        return self.lines_a_day * LINE_BYTES.get(self.feed, LIST_LINE_BYTES) / self.packages / 1e6

    @property
    def packages(self) -> int:
        """Packages of a day: minutes, or hours."""
        return MINUTES_A_DAY * ONE_MINUTE // find_feed(self.feed).every().length

    @property
    def requests(self) -> int:
        """Requests of a package: of an hour of threat lists the names, and each list."""
        return 1 if self.feed != THREAT_LISTS else 1 + len(LISTS)

    @property
    def merges(self) -> int:
        """Merges of a day that find something."""
        return min(self.merges_a_day, self.packages)

    @property
    def day(self) -> float:
        """The middle of the month."""
        return (self.month - 0.5) * DAYS

    @property
    def load(self) -> Load:
        """The rows that meet in a merge in the middle of the month, late in the day."""
        ids = self.day * self.lines_a_day * (1 - SEEN_BEFORE)
        return Load(self.lines_a_day / self.merges, self.lines_a_day, ids)


def our_month(case: Case, widths: Widths) -> dict[str, float]:
    """Return the dollars of a month, by part."""
    fetching = case.requests * Speeds.download_fixed_seconds + case.megabytes / _OUR_RATE
    loading = _load_seconds(case)
    scanned, packages = sum(ours(case.load, widths, case.feed).values()), DAYS * case.packages
    return {
        "Cloud Run": _run("downloader", fetching, packages)
        + _run("loader", loading, packages)
        + _run("merger", Speeds.merge_fixed_seconds, DAYS * case.merges),
        # Two topics, each message published and pushed.
        "Pub/Sub": 4 * packages * _MESSAGE_BYTES * prices.MESSAGE_BYTES.dollars,
        "bucket": _bucket(case, case.megabytes / _GZIP, _LANDED_DAYS),
        "storage": logical_storage(case, widths),
        # landed and loaded; merged is written by the merge.
        "ledger": 2 * packages * _MESSAGE_BYTES * prices.INSERTED_BYTES.dollars,
        "merges": scanned * case.merges * DAYS * prices.SCANNED_BYTES.dollars,
    }


def their_month(case: Case, widths: Widths) -> dict[str, float]:
    """Return the dollars of a month of the predecessor's design: the same packages into one wide table."""
    seconds = Speeds.download_fixed_seconds + case.megabytes / _THEIR_RATE + _load_seconds(case)
    one = seconds * (prices.VCPU_SECOND.dollars + prices.GIB_SECOND.dollars)
    return {
        "Cloud Run": _MINUTES * (one + prices.REQUEST.dollars),
        "bucket": _bucket(case, case.megabytes, _THEIR_LANDED_DAYS),
        "storage": case.load.current * (widths.id + widths.object) * prices.ACTIVE_BYTES_MONTH.dollars,
        "merges": wide_table(case.load, widths) * case.merges_a_day * DAYS * prices.SCANNED_BYTES.dollars,
    }


def shared_month() -> float:
    """Return what all feeds share: the planner's calls, its three schedules and the merger's, the secret."""
    calls = _run("planner", _PLAN_SECONDS, _MINUTES + DAYS * (144 + 24))
    return calls + 4 * prices.SCHEDULE.dollars + prices.SECRET_VERSION.dollars


def _run(service: str, seconds: float, requests: float) -> float:
    declared = read_topology().services[service]
    second = int(declared.cpu) * prices.VCPU_SECOND.dollars + declared.mebibytes / 1024 * prices.GIB_SECOND.dollars
    return requests * (seconds * second + prices.REQUEST.dollars)


def _load_seconds(case: Case) -> float:
    return Speeds.load_fixed_seconds + case.megabytes * Speeds.load_seconds_a_megabyte


def _bucket(case: Case, megabytes: float, days: float) -> float:
    kept = megabytes * 1e6 * case.packages * days
    # Data, manifest and the record of the content are written; manifest and record are looked for, the data is read by
    # the load and the manifest by the sweep.
    operations = 3 * prices.CLASS_A.dollars + 4 * prices.CLASS_B.dollars
    return kept * prices.OBJECT_BYTES_MONTH.dollars + DAYS * case.packages * operations


def logical_storage(case: Case, widths: Widths) -> float:
    """Return the dollars of a month of BigQuery's storage, billed by logical bytes: time travel is free."""
    active, old = _history_days(case)
    history = active * prices.ACTIVE_BYTES_MONTH.dollars + old * prices.OLD_BYTES_MONTH.dollars
    return _daily_bytes(case, widths) * history + _version_bytes(case, widths) * prices.ACTIVE_BYTES_MONTH.dollars


def physical_storage(case: Case, widths: Widths, compression: float) -> dict[str, float]:
    """Return the same billed by physical bytes, by part, for so many logical bytes in one physical byte.

    Deleted rows are billed for another 14 days: 7 of time travel, as Terraform sets it, and 7 of fail-safe.
    """
    active, old = _history_days(case)
    history = active * prices.PHYSICAL_BYTES_MONTH.dollars + old * prices.OLD_PHYSICAL_BYTES_MONTH.dollars
    folds = _KEPT_DAYS * case.merges / case.load.merges_a_fold
    deleted = {
        "deleted from staging": _KEPT_DAYS * _daily_bytes(case, widths),
        "earlier generations": folds * (case.load.current + case.load.foldable) * widths.current,
    }
    newest = _version_bytes(case, widths)
    active_bytes = {"newest versions": newest, **deleted}
    billed = {part: size * prices.PHYSICAL_BYTES_MONTH.dollars / compression for part, size in active_bytes.items()}
    return {"history": _daily_bytes(case, widths) * history / compression, **billed}


def _daily_bytes(case: Case, widths: Widths) -> float:
    return case.lines_a_day * (16 + widths.id + widths.object)


def _version_bytes(case: Case, widths: Widths) -> float:
    return (case.load.current + case.load.foldable) * widths.current


def _history_days(case: Case) -> tuple[float, float]:
    active = min(case.day, _ACTIVE_DAYS)
    return active, case.day - active


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
    cases = [Case(feed, LINES_A_DAY, month) for feed in LINE_BYTES] + [Case("files", FILES_2021, month)]
    for case in cases:
        widths = widths_of(case.feed, page)
        mine, theirs = our_month(case, widths), their_month(case, widths)
        cells = " | ".join(dollars(mine[part]) for part in parts)
        yield (
            f"| {case.feed} | {case.lines_a_day / 1e6:.1f} M | {cells} | **{dollars(_total(mine))}** |"
            f" {dollars(_total(theirs))} | {dollars(theirs['merges'])} |"
        )


def section(page: Path) -> Iterator[str]:
    """Yield all lines of the section."""
    for month in (1, 12):
        yield from month_table(month, page)
        yield ""
    yield f"All feeds share the planner, four schedules and a secret: ${shared_month():.2f} a month."
    yield ""
    yield from prices.price_table()


def _total(parts: Mapping[str, float]) -> float:
    return sum(parts.values())


def dollars(value: float) -> str:
    """Write dollars of a month."""
    if value < 0.01:
        return "< 0.01"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2f}"


def main() -> None:
    """Print the section, and write it into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, required=True, help="docs/cost.md: widths are read there, figures written")
    page = parser.parse_args().page
    from benchmarks.list_month import list_section
    from benchmarks.queries import query_table
    from benchmarks.year import year_section

    warehouse = page.with_name("warehouse.md")
    sections = (
        ("month", page, section),
        ("threat lists", page, list_section),
        ("year", page, year_section),
        ("queries", warehouse, query_table),
    )
    for name, target, lines_of in sections:
        lines = list(lines_of(page))
        print("\n".join(lines))  # noqa: T201
        write_section(target, name, lines)


if __name__ == "__main__":
    main()
