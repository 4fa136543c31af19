"""Write the figures of `make bench-merge` into a page: a table between two markers, and a plot next to it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from matplotlib import rcParams
from matplotlib.figure import Figure

from benchmarks.billing import Bill, dollars_a_month
from benchmarks.section import write_section
from benchmarks.volumes import MERGES_A_DAY

_GB = 1e9


def write_page(page: Path, bills: Sequence[Bill]) -> None:
    """Put the table between the page's marks, and the plot into a file of the same name."""
    write_section(page, "figures", _table(bills))
    _plot(page.with_suffix(".svg"), [bill for bill in bills if bill.feed == "domains"])


def _table(bills: Sequence[Bill]) -> Iterator[str]:
    parts = list(bills[0].parts)
    yield (
        f"| feed | days kept | wide table | earlier version | **ours** | {' | '.join(parts)} |"
        " JSON by paths | times less |"
    )
    yield f"|---|---:|---:|---:|---:|{'---:|' * len(parts)}---:|---:|"
    for bill in bills:
        cells = " | ".join(_gigabytes(bill.parts[part]) for part in parts)
        yield (
            f"| {bill.feed} | {bill.days} | {_gigabytes(bill.wide)} | {_gigabytes(bill.narrow)} |"
            f" **{_gigabytes(bill.ours)}** | {cells} | {_gigabytes(bill.by_paths)} | {bill.ratio:,.0f} |"
        )
    yield ""
    yield "| feed | days kept | wide, $ a month | earlier, $ a month | **ours, $ a month** | one fold | a fold every |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for bill in bills:
        wide, narrow, mine = (dollars_a_month([one]) for one in (bill.wide, bill.narrow, bill.ours))
        yield (
            f"| {bill.feed} | {bill.days} | {wide:,.0f} | {narrow:,.0f} | **{mine:,.0f}** | {_gigabytes(bill.fold)} |"
            f" {_often(bill)} |"
        )
    yield ""
    yield "| feed, on the emulator | days kept | merge | fold |"
    yield "|---|---:|---:|---:|"
    for bill in bills:
        yield f"| {bill.feed} | {bill.days} | {bill.seconds:.2f} s | {bill.fold_seconds:.2f} s |"
    yield ""
    for bill in (bill for bill in bills if bill.days == max(other.days for other in bills)):
        yield (
            f"- {bill.feed}: {bill.load.current / 1e6:,.0f} million ids after {bill.days} days, "
            f"{bill.widths.current:.0f} bytes a current row"
        )


def _often(bill: Bill) -> str:
    days = bill.load.merges_a_fold / MERGES_A_DAY
    return f"{days:.1f} days" if days >= 1 else f"{24 * days:.1f} hours"


def _gigabytes(value: float) -> str:
    return f"{value / _GB:,.2f} GB" if value < 10 * _GB else f"{value / _GB:,.0f} GB"


def _plot(file: Path, bills: Sequence[Bill]) -> None:
    # Text stays text, and the same figures make the same file.
    rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "gti-mesh"})
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    days = [bill.days for bill in bills]
    axes.loglog(days, [bill.wide / _GB for bill in bills], "o-", color="tab:red", label="one wide table")
    axes.loglog(days, [bill.narrow / _GB for bill in bills], "o-", color="tab:orange", label="earlier version")
    axes.loglog(days, [bill.ours / _GB for bill in bills], "o-", color="tab:blue", label="gti-mesh")
    for part, style in zip(("history", "recent", "fold"), (":", "--", "-."), strict=True):
        axes.loglog(days, [bill.parts[part] / _GB for bill in bills], style, color="tab:gray", label=f"of it {part}")
    axes.set(xlabel="days of observations kept", ylabel="GB billed for one merge", xticks=days, xticklabels=days)
    axes.set_title("domains: 7 million observations a day of 20 KB, 48 merges a day")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend()
    figure.savefig(file, metadata={"Date": None})
