"""Write the figures of `make bench-merge` into a page: a table between two marks, and a plot beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure

from tests.bench.billing import Bill, dollars_a_month, ours, wide_table

_BEGIN, _END = "<!-- figures -->", "<!-- /figures -->"
_GB = 1e9
_LEAST = 50


def write_page(page: Path, bills: Sequence[Bill]) -> None:
    """Put the table between the page's marks, and the plot into a file of the same name."""
    before, _, rest = page.read_text(encoding="utf-8").partition(_BEGIN)
    _, _, after = rest.partition(_END)
    figures = "\n".join(_table(bills))
    page.write_text(f"{before}{_BEGIN}\n{figures}\n{_END}{after}", encoding="utf-8")
    _plot(page.with_suffix(".svg"), [bill for bill in bills if bill.feed == "domains"])


def _table(bills: Sequence[Bill]) -> Iterator[str]:
    yield "| feed | days kept | wide table | ours | history | current | ledger | delete | times less |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    for bill in bills:
        parts = " | ".join(_gigabytes(value) for value in bill.parts.values())
        yield (
            f"| {bill.feed} | {bill.days} | {_gigabytes(bill.wide)} | {_gigabytes(bill.ours)} | {parts} |"
            f" {bill.ratio:.0f} |"
        )
    yield ""
    yield "| feed | days kept | wide table, $ a month | ours, $ a month | merge on the emulator |"
    yield "|---|---:|---:|---:|---:|"
    for bill in bills:
        wide, mine = dollars_a_month([bill.wide]), dollars_a_month([bill.ours])
        yield f"| {bill.feed} | {bill.days} | {wide:,.0f} | {mine:,.0f} | {bill.seconds:.2f} s |"
    yield ""
    for bill in (bill for bill in bills if bill.days == max(other.days for other in bills)):
        yield (
            f"- {bill.feed}: {bill.load.current / 1e6:,.0f} million ids after {bill.days} days, "
            f"{bill.widths.current:.0f} bytes a current row; {_reach(bill)}"
        )


def _reach(bill: Bill) -> str:
    """Say from how many distinct ids on ours costs so many times less, whatever the time it took to see them."""
    for millions in range(1, 10_000):
        load = replace(bill.load, current=millions * 1e6)
        if wide_table(load, bill.widths) >= _LEAST * sum(ours(load, bill.widths).values()):
            return f"{_LEAST} times less from {millions:,} million ids on"
    limit = (bill.widths.object + 2 * bill.widths.id) / (
        bill.widths.current + bill.widths.id + bill.widths.version + 16
    )
    return f"never more than {limit:.0f} times less"


def _gigabytes(value: float) -> str:
    return f"{value / _GB:,.2f} GB" if value < 10 * _GB else f"{value / _GB:,.0f} GB"


def _plot(file: Path, bills: Sequence[Bill]) -> None:
    # Text stays text, and the same figures make the same file.
    rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gti-mesh"})
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    days = [bill.days for bill in bills]
    axes.loglog(days, [bill.wide / _GB for bill in bills], "o-", color="tab:red", label="one wide table")
    axes.loglog(days, [bill.ours / _GB for bill in bills], "o-", color="tab:blue", label="gti-mesh")
    for part, style in zip(("history", "current", "delete"), (":", "--", "-."), strict=True):
        axes.loglog(days, [bill.parts[part] / _GB for bill in bills], style, color="tab:gray", label=f"of it {part}")
    axes.set(xlabel="days of observations kept", ylabel="GB billed for one merge", xticks=days, xticklabels=days)
    axes.set_title("domains: 7 million observations a day of 20 KB, 48 merges a day")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(file, metadata={"Date": None})
