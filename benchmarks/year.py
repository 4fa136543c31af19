"""The year of all five feeds, by month; storage by both models; more frequent merges; analysts' additional cost."""

from collections.abc import Iterator
from pathlib import Path

from benchmarks import prices
from benchmarks.billing import ours
from benchmarks.monthly import DAYS, Case, logical_storage, our_month, physical_storage, their_month, widths_of
from benchmarks.queries import analysts_table
from benchmarks.volumes import LINE_BYTES, LINES_A_DAY

MONTHS = range(1, 13)
# How many logical bytes one physical byte holds cannot be known before the data is there.
COMPRESSIONS = (3.0, 5.0, 10.0)
_CHOSEN = 5.0
_INTERVALS = (30, 15, 5)
# Availability, grace, and what download and load take.
_ARRIVAL_MINUTES = 65


def year_table(page: Path) -> Iterator[str]:
    """Yield the months of all five feeds together."""
    yield (
        "| month | merges and folds | storage, logical | storage, physical | everything else |"
        " **ours, logical** | **ours, physical** | predecessor |"
    )
    yield f"|---|{'---:|' * 7}"
    sums = [0.0] * 7
    for month in MONTHS:
        row = _month(month, page)
        sums = [before + value for before, value in zip(sums, row, strict=True)]
        yield f"| {month} | {_cells(row)} |"
    yield f"| the year | {_cells(sums)} |"


def _month(month: int, page: Path) -> list[float]:
    merges = logical = physical = rest = theirs = 0.0
    for feed in LINE_BYTES:
        case, widths = Case(feed, LINES_A_DAY, month), widths_of(feed, page)
        parts = our_month(case, widths)
        merges += parts["merges"]
        logical += parts["storage"]
        physical += sum(physical_storage(case, widths, _CHOSEN).values())
        rest += sum(value for part, value in parts.items() if part not in ("merges", "storage"))
        theirs += sum(their_month(case, widths).values())
    return [merges, logical, physical, rest, merges + logical + rest, merges + physical + rest, theirs]


def _cells(values: list[float]) -> str:
    cells = [f"{value:,.0f}" for value in values]
    return " | ".join([*cells[:4], f"**{cells[4]}**", f"**{cells[5]}**", cells[6]])


def storage_table(page: Path) -> Iterator[str]:
    """Yield a month's storage of the domain feed by both models, at the end of a quarter and of the year."""
    widths = widths_of("domains", page)
    parts = list(physical_storage(Case("domains", LINES_A_DAY, 1), widths, 1.0))
    yield f"| domains, month | billed by | {' | '.join(parts)} | **$** |"
    yield f"|---|---|{'---:|' * (len(parts) + 1)}"
    for month in (3, 12):
        case = Case("domains", LINES_A_DAY, month)
        yield f"| {month} | logical bytes | {'| ' * len(parts)}| **{logical_storage(case, widths):,.0f}** |"
        for compression in COMPRESSIONS:
            billed = physical_storage(case, widths, compression)
            cells = " | ".join(f"{billed[part]:,.0f}" for part in parts)
            how = f"physical bytes, {compression:.0f} to 1"
            yield f"| {month} | {how} | {cells} | **{sum(billed.values()):,.0f}** |"


def interval_table(page: Path) -> Iterator[str]:
    """Yield the cost of more frequent merges, and the freshness of the rows."""
    widths = widths_of("domains", page)
    yield "| domains, a merge every | GB a day | merges and folds, $ a month | age of a row that appears | at most |"
    yield "|---|---:|---:|---:|---:|"
    for minutes in _INTERVALS:
        case = Case("domains", LINES_A_DAY, 6, merges_a_day=24 * 60 // minutes)
        daily = sum(ours(case.load, widths).values()) * case.merges_a_day
        yield (
            f"| {minutes} min | {daily / 1e9:,.0f} | {daily * DAYS * prices.SCANNED_BYTES.dollars:,.0f} |"
            f" {_ARRIVAL_MINUTES + minutes / 2:.0f} min | {_ARRIVAL_MINUTES + minutes} min |"
        )


def year_section(page: Path) -> Iterator[str]:
    """Yield all lines of the section."""
    for table in (year_table, storage_table, interval_table, analysts_table):
        yield from table(page)
        yield ""
