"""The cost of a month follows volumes, services and prices, and docs/cost.md says what the code computes."""

from pathlib import Path

import pytest

from tests.bench.billing import Widths
from tests.bench.monthly import Case, our_month, section, their_month, widths_of
from tests.bench.prices import PRICES
from tests.bench.section import read_section, write_section

PAGE = Path(__file__).parents[2] / "docs/cost.md"
WIDTH = Widths(id=20, object=20_000, current=250, version=16)
CASE = Case("domains", 7_000_000, 1)


def test_the_page_says_what_the_code_computes() -> None:
    """A price, a service or a volume that changes is noticed here; `make cost` writes the page anew."""
    assert read_section(PAGE, "month") == "\n".join(section(PAGE)).strip("\n").split("\n")


def test_merges_are_billed_as_the_page_above_says() -> None:
    """100 days deep, merging domains costs within a tenth of what `make bench-merge` found on real row counts."""
    [row] = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| domains | 100 | 82")]
    found = float(row.split("|")[4].replace(",", ""))
    # The middle of this month is day 100; lines of 20 KB as there.
    case = Case("domains", 7_000_000, 100 / 30 + 0.5)
    current = widths_of("domains", PAGE).current
    assert our_month(case, Widths(37, 20_000, current, 16))["merges"] == pytest.approx(found, rel=0.1)


def test_twice_the_lines_cost_twice_the_storage_and_no_more_messages() -> None:
    """The number of packages does not change with the volume."""
    once, twice = our_month(CASE, WIDTH), our_month(Case("domains", 14_000_000, 1), WIDTH)
    assert twice["storage"] == pytest.approx(2 * once["storage"])
    assert twice["Pub/Sub"] == once["Pub/Sub"]
    assert once["Cloud Run"] < twice["Cloud Run"] < 2 * once["Cloud Run"]


def test_storage_gets_half_as_dear_after_ninety_days() -> None:
    """A year costs less than twelve times its first months do."""
    first, last = (our_month(Case("domains", 7_000_000, month), WIDTH)["storage"] for month in (1, 12))
    assert 10 * first < last < 23 * first


def test_the_predecessor_pays_for_its_whole_table() -> None:
    """Its merges are the bill, and grow with it."""
    first, last = (their_month(Case("domains", 7_000_000, month), WIDTH) for month in (1, 12))
    assert last["merges"] > 20 * first["merges"]
    assert first["merges"] > 0.9 * sum(first.values())


def test_every_price_has_its_source_and_date() -> None:
    """No figure without both."""
    for price in PRICES:
        assert price.source.startswith("https://cloud.google.com/")
        assert price.date
        assert price.dollars > 0


def test_a_section_is_replaced_and_the_rest_stays(tmp_path: Path) -> None:
    """A page without the marks is refused."""
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- x -->\nold\n<!-- /x -->\nafter\n", encoding="utf-8")
    write_section(page, "x", ["new", "lines"])
    assert page.read_text(encoding="utf-8") == "before\n<!-- x -->\nnew\nlines\n<!-- /x -->\nafter\n"
    with pytest.raises(ValueError, match="has no <!-- y -->"):
        write_section(page, "y", [])
