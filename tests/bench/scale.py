"""`make scale`: limits by arithmetic, backfills by simulation; rewrites the figures of docs/scale.md."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from infra.topology import read_topology
from tests.bench.limits import limits, limits_table
from tests.bench.mesh_model import Result, Scenario, simulate
from tests.bench.section import write_section

SCENARIOS = (
    Scenario("today's volume, nothing to make up"),
    Scenario("10 x the volume, nothing to make up", volume=10),
    Scenario("today's volume, 7 days back, feed by feed", days_back=7),
    Scenario("today's volume, 7 days back, hour by hour", days_back=7, hourly=True),
    Scenario("today's volume, 7 days back, hour by hour, 15 loaders", days_back=7, hourly=True, loaders=15),
    Scenario("10 x, 7 days back, feed by feed", volume=10, days_back=7, hours=96),
    Scenario("10 x, 7 days back, hour by hour", volume=10, days_back=7, hourly=True, hours=96),
    Scenario(
        "10 x, 7 days back, hour by hour, 40 downloaders, 15 loaders",
        volume=10,
        days_back=7,
        hourly=True,
        downloaders=40,
        loaders=15,
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
            f" {result.most_attempts} | {result.dead} | {result.largest_merge_gigabytes:,.0f} GB |"
        )


def main() -> None:
    """Simulate every scenario, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, help="write the table into this page, docs/scale.md for example")
    options = parser.parse_args()
    sections = {
        "limits": list(limits_table(limits(read_topology()))),
        "simulated": list(table([simulate(scenario) for scenario in SCENARIOS])),
    }
    for name, lines in sections.items():
        print("\n".join(lines))  # noqa: T201
        if options.page:
            write_section(options.page, name, lines)


if __name__ == "__main__":
    main()
