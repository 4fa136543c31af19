"""The cost of a month follows volumes, services and prices, and docs/cost.md has the computed figures."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.billing import Widths
from benchmarks.list_month import list_section, list_widths
from benchmarks.monthly import Case, logical_storage, our_month, physical_storage, section, their_month, widths_of
from benchmarks.prices import PRICES
from benchmarks.queries import current_bytes, query_table
from benchmarks.section import read_section, write_section
from benchmarks.year import year_section
from tests.support.paths import DOCS

PAGE = DOCS / "cost.md"
WIDTH = Widths(id=20, object=20_000, current=250, version=16)
CASE = Case("domains", 7_000_000, 1)


@pytest.mark.parametrize(
    ("page", "name", "lines"),
    [
        (PAGE, "month", section),
        (PAGE, "threat lists", list_section),
        (PAGE, "year", year_section),
        (DOCS / "warehouse.md", "queries", query_table),
    ],
)
def test_the_pages_say_what_the_code_computes(page: Path, name: str, lines: Callable[[Path], Iterator[str]]) -> None:
    """A price, a service, a statement or a volume that changes is noticed here; `make cost` rewrites the pages."""
    assert read_section(page, name) == "\n".join(lines(PAGE)).strip("\n").split("\n")


def test_merges_are_billed_as_the_page_above_says() -> None:
    """100 days deep, merging domains costs within a tenth of what `make bench-merge` found on real row counts."""
    rows = re.findall(r"^\| domains \| 100 \|.*\*\*([\d.,]+)\*\* \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = float(rows[-1].replace(",", ""))
    # The middle of this month is day 100; lines of 20 KB as there.
    case = Case("domains", 7_000_000, 100 / 30 + 0.5)
    current = widths_of("domains", PAGE).current
    assert our_month(case, Widths(37, 20_000, current, 16))["merges"] == pytest.approx(found, rel=0.1)


def test_physical_bytes_cost_less_from_a_compression_of_two_on() -> None:
    """From a compression of two on, physical bytes cost less, including those deleted within 14 days.

    At 1 to 1, more.
    """
    case = Case("domains", 7_000_000, 12)
    logical = logical_storage(case, WIDTH)
    billed = {ratio: sum(physical_storage(case, WIDTH, ratio).values()) for ratio in (1, 3, 5)}
    assert billed[5] < billed[3] < logical < billed[1] / 2


def test_merging_more_often_costs_little() -> None:
    """Merging every five minutes reads the same lines as every thirty; only day partitions are read more often."""
    often, seldom = (
        our_month(Case("domains", 7_000_000, 6, merges_a_day=merges), WIDTH)["merges"] for merges in (288, 48)
    )
    assert seldom < often < 1.3 * seldom


def test_the_view_costs_more_than_one_table() -> None:
    """The view costs at most two and a half times as much as one table, because it compares versions of two tables."""
    one, view, worst = current_bytes("domains", frozenset({"id", "malicious"}), 10**8, WIDTH)
    assert one < view < worst < 5 * one


def test_hours_cost_a_sixtieth_of_the_messages_of_minutes() -> None:
    """And as many merges as there are hours, however often the merger runs."""
    hours, minutes = Case("threat_lists", 1_344_000, 1), Case("domains", 1_344_000, 1)
    assert (hours.packages, hours.merges, minutes.merges) == (24, 24, 48)
    assert our_month(hours, WIDTH)["Pub/Sub"] == pytest.approx(our_month(minutes, WIDTH)["Pub/Sub"] / 60)
    assert our_month(hours, WIDTH)["merges"] < our_month(minutes, WIDTH)["merges"]


def test_a_row_of_the_lists_is_as_wide_as_the_simulators_elements() -> None:
    """The id has list, type and the indicator's own; headline columns are those of the definition."""
    widths = list_widths()
    assert 30 < widths.id < 120
    assert widths.id + 16 < widths.current < widths.object


def test_twice_the_lines_cost_twice_the_storage_and_no_more_messages() -> None:
    """The number of packages does not change with the volume."""
    once, twice = our_month(CASE, WIDTH), our_month(Case("domains", 14_000_000, 1), WIDTH)
    assert twice["storage"] == pytest.approx(2 * once["storage"])
    assert twice["Pub/Sub"] == once["Pub/Sub"]
    assert once["Cloud Run"] < twice["Cloud Run"] < 2 * once["Cloud Run"]


def test_storage_gets_half_as_dear_after_ninety_days() -> None:
    """A year costs less than twelve times its first months."""
    first, last = (our_month(Case("domains", 7_000_000, month), WIDTH)["storage"] for month in (1, 12))
    assert 10 * first < last < 23 * first


def test_the_predecessor_pays_for_its_whole_table() -> None:
    """Merges dominate the predecessor's bill, and grow with the table."""
    first, last = (their_month(Case("domains", 7_000_000, month), WIDTH) for month in (1, 12))
    assert last["merges"] > 20 * first["merges"]
    assert first["merges"] > 0.9 * sum(first.values())


def test_every_price_has_its_source_and_date() -> None:
    """Every price has a source and a date."""
    for price in PRICES:
        assert price.source.startswith("https://cloud.google.com/")
        assert price.date
        assert price.dollars > 0


def test_a_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    """A page without the markers is refused."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x -->\nold\n<!-- /x -->\nafter\n", encoding="utf-8")
    write_section(page, "x", ["new", "lines"])
    assert page.read_text(encoding="utf-8") == "before\n<!-- x -->\nnew\nlines\n<!-- /x -->\nafter\n"
    with pytest.raises(ValueError, match="has no <!-- y -->"):
        write_section(page, "y", [])
