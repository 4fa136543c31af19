"""The figures of docs/scale.md: limits as computed, scenarios as simulated."""

from dataclasses import replace

from benchmarks.limits import limits, limits_table
from benchmarks.mesh_model import Scenario, Speeds, backfill, simulate
from benchmarks.quota import quota_table, requests_of_feed, requests_of_stream
from benchmarks.scale import SCENARIOS, table
from benchmarks.section import read_section
from benchmarks.volumes import minute_feeds
from infra.topology import read_topology
from services.secops_forwarder.settings import POLL_MINUTES
from shared.streams.definition import find_stream
from tests.support.paths import DOCS

PAGE = DOCS / "scale.md"


def test_the_page_has_the_limits_that_the_code_computes() -> None:
    """If a limit, setting or service changes, this test fails; `make scale` rewrites the page."""
    assert read_section(PAGE, "limits") == list(limits_table(limits(read_topology())))


def test_the_page_has_the_requests_that_feeds_and_streams_need() -> None:
    """A feed, a stream or a schedule that changes is noticed here; `make scale` rewrites the page."""
    assert read_section(PAGE, "quota") == list(quota_table())
    assert read_topology().schedules["secops-poll"].cron == f"*/{POLL_MINUTES} * * * *"


def test_requests_a_day_follow_period_and_page_size() -> None:
    """One a minute of a feed; an hour one for each list and the names; of a stream one a poll, and what is repeated."""
    assert (requests_of_feed("domains"), requests_of_feed("threat_lists")) == (1440, 24 * 15)
    assert requests_of_feed("threat_lists", full=True) == 24 * (15 + 33)
    stream, alerts = find_stream("ioc_stream"), find_stream("dtm_alerts")
    assert requests_of_stream(stream, 0) == 288 + 1
    # 1,042 items in fifteen minutes are 27 pages of 40.
    assert requests_of_stream(stream, 100_000) == 288 * 27 + 2_500
    assert requests_of_stream(alerts, 100_000) == 288 * 42
    assert requests_of_stream(find_stream("asm_issues"), 100_000) == 288 + 288 + 200 + 600


def test_the_page_has_every_scenario_and_the_first_as_simulated() -> None:
    """The other scenarios take a minute and are written by `make scale`."""
    rows = read_section(PAGE, "simulated")
    assert [row.split("|")[1].strip() for row in rows[2:]] == [scenario.title for scenario in SCENARIOS]
    assert rows[:3] == list(table([simulate(SCENARIOS[0])]))


def test_a_backfill_is_made_up_and_nothing_is_given_up() -> None:
    """A third of a day of five feeds is loaded completely, although instances are missing now and then."""
    result = simulate(Scenario("a third of a day", days_back=1 / 3, hours=4))
    assert result.minutes == len(minute_feeds()) * (8 * 60 - 61)
    assert result.backfill_hours
    assert (result.dead, result.expired) == (0, 0)
    assert result.refused > 0


def test_a_slower_load_makes_a_backfill_slower() -> None:
    """This holds if loads are the bottleneck."""
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
    assert {feed for feed, _ in by_hour[: 60 * len(minute_feeds())]} == set(minute_feeds())
    assert {feed for feed, _ in by_feed[: 7 * 24 * 60 - 61]} == {next(iter(minute_feeds()))}
