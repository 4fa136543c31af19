"""The figures of docs/scale.md: limits as computed, scenarios as simulated."""

from dataclasses import replace
from pathlib import Path

from infra.topology import read_topology
from shared.feeds.definition import known_feeds
from tests.bench.limits import limits, limits_table
from tests.bench.mesh_model import Scenario, Speeds, backfill, simulate
from tests.bench.scale import SCENARIOS, table
from tests.bench.section import read_section

PAGE = Path(__file__).parents[2] / "docs/scale.md"


def test_the_page_has_the_limits_that_the_code_computes() -> None:
    """A changed limit, setting or service is noticed here; `make scale` writes the page anew."""
    assert read_section(PAGE, "limits") == list(limits_table(limits(read_topology())))


def test_the_page_has_every_scenario_and_the_first_as_simulated() -> None:
    """The others take a minute and are written by `make scale`."""
    rows = read_section(PAGE, "simulated")
    assert [row.split("|")[1].strip() for row in rows[2:]] == [scenario.title for scenario in SCENARIOS]
    assert rows[:3] == list(table([simulate(SCENARIOS[0])]))


def test_a_backfill_is_made_up_and_nothing_is_given_up() -> None:
    """A third of a day of five feeds, refused for want of instances now and then, comes in whole."""
    result = simulate(Scenario("a third of a day", days_back=1 / 3, hours=4))
    assert result.minutes == len(known_feeds()) * (8 * 60 - 61)
    assert result.backfill_hours
    assert (result.dead, result.expired) == (0, 0)
    assert result.refused > 0


def test_a_slower_load_makes_a_backfill_slower() -> None:
    """When loads are what everything waits for."""
    short = Scenario("a fifth of a day", days_back=0.2, hours=4)
    usual, slow = simulate(short), simulate(short, replace(Speeds(), load_fixed_seconds=60.0))
    assert usual.backfill_hours
    assert slow.backfill_hours
    assert slow.backfill_hours > 1.5 * usual.backfill_hours


def test_a_backfill_hour_by_hour_takes_the_oldest_of_all_feeds_first() -> None:
    """Feed by feed, the last feed's oldest minutes wait for all the others."""
    by_feed = list(backfill(Scenario("x", days_back=7)))
    by_hour = list(backfill(Scenario("x", days_back=7, hourly=True)))
    assert sorted(by_feed) == sorted(by_hour)
    assert {feed for feed, _ in by_hour[: 60 * len(known_feeds())]} == set(known_feeds())
    assert {feed for feed, _ in by_feed[: 7 * 24 * 60 - 61]} == {next(iter(known_feeds()))}
