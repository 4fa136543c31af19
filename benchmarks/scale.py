"""`make scale`: limits by arithmetic, backfills by simulation; rewrites the figures of docs/scale.md."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.billing import DOLLARS_PER_TIB, sweep
from benchmarks.limits import limits, limits_table
from benchmarks.mesh_model import Result, Scenario, simulate
from benchmarks.quota import quota_table
from benchmarks.section import write_section
from benchmarks.volumes import minute_feeds
from infra.topology import read_topology

SCENARIOS = (
    Scenario("today's volume, nothing to make up"),
    Scenario("10 x the volume, nothing to make up", volume=10),
    Scenario("today's volume, 7 days back, feed by feed", days_back=7),
    Scenario("today's volume, 7 days back, hour by hour", days_back=7, hourly=True),
    Scenario("10 x, 7 days back, feed by feed", volume=10, days_back=7, hours=96),
    Scenario("10 x, 7 days back, hour by hour", volume=10, days_back=7, hourly=True, hours=96),
    Scenario(
        "10 x, 7 days back, hour by hour, 40 downloaders",
        volume=10,
        days_back=7,
        hourly=True,
        downloaders=40,
    ),
)


def table(results: Sequence[Result]) -> Iterator[str]:
    """Yield the section's lines."""
    yield (
        "| scenario | minutes to make up | made up after | worst freshness of new minutes | gone at the source |"
        " pushes refused | most deliveries of one | dead | largest merge |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for result in results:
        made_up = "-" if not result.minutes else "not yet" if result.backfill_hours is None else None
        yield (
            f"| {result.scenario.title} | {result.minutes:,} | {made_up or f'{result.backfill_hours:.1f} h'} |"
            f" {result.worst_freshness_hours:.1f} h | {result.expired:,} | {result.refused:,} |"
            f" {result.max_attempts} | {result.dead} | {result.largest_merge_gigabytes:,.0f} GB |"
        )


def sweep_table() -> Iterator[str]:
    """Yield the lines of what sweeps of all feeds bill in a month, as the ledger grows."""
    feeds, sweeps = len(minute_feeds()), 144 * 30
    yield "| days in the ledger | one look at all | one look at the days it needs | a month of all | a month of those |"
    yield "|---:|---:|---:|---:|---:|"
    for days in (8, 30, 365, 1825):
        whole, needed = sweep(days, feeds)
        month = (f"${looked * sweeps * feeds / 1024**4 * DOLLARS_PER_TIB:,.2f}" for looked in (whole, needed))
        yield f"| {days:,} | {whole / 1e6:,.0f} MB | {needed / 1e6:,.0f} MB | {' | '.join(month)} |"


def main() -> None:
    """Simulate every scenario, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, help="write the table into this page, docs/scale.md for example")
    options = parser.parse_args()
    sections = {
        "limits": list(limits_table(limits(read_topology()))),
        "quota": list(quota_table()),
        "sweeps": list(sweep_table()),
        "simulated": list(table([simulate(scenario) for scenario in SCENARIOS])),
    }
    for name, lines in sections.items():
        print("\n".join(lines))  # noqa: T201
        if options.page:
            write_section(options.page, name, lines)


if __name__ == "__main__":
    main()
