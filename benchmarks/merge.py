"""`make bench-merge`: what a merge bills when the archive is 1 to 365 days deep, ours against one wide table.

Rows are counted in real merges and folds on the emulator, over an archive that is narrow enough for one machine. The
columns that each statement reads are found in its SQL; the bytes of a row come from BigQuery's size rules. All is
scaled to a feed of 7 million observations a day of 20 KB each.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from benchmarks.archive import Archive, measure_widths, scaled
from benchmarks.billing import Bill
from benchmarks.cost_page import write_page
from benchmarks.volumes import LINE_BYTES, LINES_A_DAY, OBJECT_BYTES
from infra.local.mesh import LocalMesh
from infra.topology import Topology
from shared.feeds.definition import find_feed
from tests.support.warehouse import Warehouse, provisioned

DEPTHS = (1, 10, 100, 365)
MAX_GROWTH = 1.05
MIN_RATIO = 1000
MAX_DOMAINS = 10e9
MAX_ANY = 12e9


def bills(warehouse: Warehouse, lines_a_day: int) -> list[Bill]:
    """Measure one feed at every depth."""
    widths = measure_widths(warehouse, OBJECT_BYTES)
    warehouse.clear()
    archive = Archive(warehouse, lines_a_day)
    found = []
    for days in DEPTHS:
        archive.grow(days)
        archive.stage()
        counted = archive.counted()
        seconds, inserted = archive.merge()
        load = scaled(replace(counted, fresh=inserted), archive, LINES_A_DAY)
        found.append(Bill(warehouse.feed.name, days, load, widths, seconds, archive.fold_seconds))
    return found


def broken_bars(found: list[Bill]) -> list[str]:
    """Return which of the bars do not hold."""
    broken = [f"{bill.feed}, {bill.days} days: {bill.ours / 1e9:.1f} GB" for bill in found if bill.ours > MAX_ANY]
    for feed in {bill.feed for bill in found}:
        by_days = {bill.days: bill for bill in found if bill.feed == feed}
        broken += [
            f"{feed}: the {part} part grew from {size:,.0f} to {by_days[365].parts[part]:,.0f} bytes"
            for part, size in by_days[10].parts.items()
            if by_days[365].parts[part] > MAX_GROWTH * size
        ]
    domains = next(bill for bill in found if (bill.feed, bill.days) == ("domains", 100))
    if domains.ours > MAX_DOMAINS:
        broken.append(f"domains: {domains.ours / 1e9:.1f} GB after 100 days")
    if domains.ratio < MIN_RATIO:
        broken.append(f"domains: the wide table costs {domains.ratio:.0f} times ours after 100 days, not {MIN_RATIO}")
    return broken


def line(bill: Bill) -> str:
    """Return a bill in one line."""
    parts = ", ".join(f"{part} {value / 1e9:.2f}" for part, value in bill.parts.items())
    return (
        f"{bill.feed:<16} {bill.days:>3} days: wide {bill.wide / 1e9:>8.1f} GB, ours {bill.ours / 1e9:>6.2f} GB "
        f"({parts}), {bill.ratio:.0f} times less; here {bill.seconds:.2f} s, a fold {bill.fold_seconds:.2f} s"
    )


def main() -> int:
    """Measure every feed, write the page, and return whether the bars hold."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--lines-a-day", type=int, default=960, help="observations a day in the archive measured")
    arguments.add_argument("--page", type=Path, help="write table and plot into this page, docs/cost.md for example")
    options = arguments.parse_args()
    nothing = Topology(services={}, topics={}, subscriptions={}, schedules={})
    found: list[Bill] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalMesh(state=Path(folder) / "state", topology=nothing, schedules=False) as mesh,
    ):
        os.environ.update(mesh.endpoints.environment())
        for feed in map(find_feed, LINE_BYTES):
            with provisioned(mesh.endpoints) as warehouse:
                of_feed = replace(warehouse, feed=feed)
                of_feed.provision()
                found += bills(of_feed, options.lines_a_day)
            for bill in found[-len(DEPTHS) :]:
                print(line(bill))  # noqa: T201
    if options.page:
        write_page(options.page, found)
    for wrong in (broken := broken_bars(found)):
        print(f"bar broken: {wrong}")  # noqa: T201
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
