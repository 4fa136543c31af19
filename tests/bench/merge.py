"""`make bench-merge`: what a merge bills when the archive is 1, 10 and 100 days deep, ours against one wide table.

Rows are counted in real merges on the emulator, over an archive that is narrow enough for one machine; the bytes of
each row come from BigQuery's size rules, and both are scaled to a feed of 7 million observations a day of 20 KB each.
"""

import argparse
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from infra.local.mesh import LocalMesh
from infra.topology import Topology
from shared.feeds.definition import known_feeds
from tests.bench.archive import Archive, measure_widths, scaled
from tests.bench.billing import Bill
from tests.bench.cost_page import write_page
from tests.bench.volumes import LINES_A_DAY, OBJECT_BYTES
from tests.warehouse import Warehouse, provisioned

DEPTHS = (1, 10, 100)
MOST_HISTORY_GROWTH = 1.05
LEAST_RATIO = 50


def bills(warehouse: Warehouse, lines_a_day: int) -> list[Bill]:
    """Measure one feed at every depth."""
    widths = measure_widths(warehouse, OBJECT_BYTES)
    warehouse.clear()
    archive = Archive(warehouse, lines_a_day)
    found = []
    for days in DEPTHS:
        archive.grow(days)
        archive.stage()
        load = scaled(archive.counted(), archive, LINES_A_DAY)
        found.append(Bill(warehouse.feed.name, days, load, widths, archive.merge()))
    return found


def broken_bars(found: list[Bill]) -> list[str]:
    """Return which of the bars do not hold."""
    broken = []
    for feed in {bill.feed for bill in found}:
        first, *_, last = [bill for bill in found if bill.feed == feed]
        if last.parts["history"] > MOST_HISTORY_GROWTH * first.parts["history"]:
            broken.append(f"{feed}: the history part grew from {first.parts['history']} to {last.parts['history']}")
        if feed == "domains" and last.ratio < LEAST_RATIO:
            broken.append(f"domains: the wide table costs {last.ratio:.1f} times ours, not {LEAST_RATIO}")
    return broken


def line(bill: Bill) -> str:
    """Return a bill in one line."""
    parts = ", ".join(f"{part} {value / 1e9:.2f}" for part, value in bill.parts.items())
    return (
        f"{bill.feed:<16} {bill.days:>3} days: wide {bill.wide / 1e9:>8.1f} GB, ours {bill.ours / 1e9:>6.1f} GB "
        f"({parts}), {bill.ratio:.0f} times less, {bill.seconds:.2f} s on the emulator"
    )


def main() -> int:
    """Measure every feed, write the page, and say whether the bars hold."""
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
        for feed in known_feeds().values():
            with provisioned(mesh.endpoints) as warehouse:
                own = replace(warehouse, feed=feed)
                own.provision()
                found += bills(own, options.lines_a_day)
            for bill in found[-len(DEPTHS) :]:
                print(line(bill))  # noqa: T201
    if options.page:
        write_page(options.page, found)
    for wrong in (broken := broken_bars(found)):
        print(f"bar broken: {wrong}")  # noqa: T201
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
