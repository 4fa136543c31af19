"""The output at the end of the demo: accounts, dead letters, a query, and the locations of the data."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.endpoints import Endpoints
from shared.feeds.definition import Feed
from shared.operations.accounts import FeedAccounts
from shared.operations.dead_letters import DeadLetter
from shared.operations.mesh import Mesh
from shared.operations.query import UserQuery
from shared.operations.row_table import show_rows
from shared.operations.stream_accounts import StreamAccounts
from shared.runtime.terminal import line
from shared.streams.forwarded import FORWARDED_FEEDS
from shared.warehouse.rendering import render

_FIGURES = {
    "due": "minutes due",
    "landed": "  landed in Cloud Storage",
    "loaded": "  loaded into staging",
    "merged": "  merged into history",
    "absent": "  absent at the source",
    "dead": "  dead-lettered",
    "lines": "lines in packages",
    "history_rows": "  rows in history",
    "rejected": "  rejected, kept with reason",
    "staging_rows": "  rows left in staging",
    "current_rows": "ids, each with its newest version",
}

_STREAM_FIGURES = {
    "notifications": "notifications",
    "delivered": "  accepted by SecOps",
    "dead_lettered": "  dead-lettered",
    "pages": "pages of the log",
    "requests": "requests that SecOps accepted",
    "duplicates": "notifications sent twice (lost response)",
}

_LANDING_FIGURES = {
    **_STREAM_FIGURES,
    "notifications": "elements of landed hours",
    "pages": "hours",
    "duplicates": "elements sent twice (lost response)",
}

_SAMPLE_SECONDS = 60.0
# Border and padding of a column.
_BORDERS = 3

Report = Mapping[str, object]


def show_accounts(accounts: dict[str, FeedAccounts], console: Console) -> None:
    """Print one column per feed, as many side by side as fit, and all mismatches."""
    _show(accounts, _FIGURES, console)


def show_streams(accounts: dict[str, StreamAccounts], console: Console) -> None:
    """Print one column per stream, as many side by side as fit, those of feeds below them, and all mismatches."""
    landings = {name: account for name, account in accounts.items() if name in FORWARDED_FEEDS}
    _show({name: account for name, account in accounts.items() if name not in landings}, _STREAM_FIGURES, console)
    _show(landings, _LANDING_FIGURES, console)


def _show(accounts: Mapping[str, FeedAccounts | StreamAccounts], figures: Mapping[str, str], console: Console) -> None:
    reports = {name: account.report() for name, account in accounts.items()}
    for names in _that_fit(reports, figures, console.width):
        console.print(_table({name: reports[name] for name in names}, figures))
    for name, account in accounts.items():
        for wrong in account.mismatches():
            console.print(line(f"{name}: {wrong}", "red"))


def _that_fit(reports: Mapping[str, Report], figures: Mapping[str, str], width: int) -> Iterator[list[str]]:
    """Yield the names of the columns that fit next to each other, next to the meaning of the figures."""
    room = width - max(map(len, figures.values())) - _BORDERS - 1
    group: list[str] = []
    used = 0
    for name, report in reports.items():
        column = max(len(name), *(len(str(report[figure])) for figure in figures)) + _BORDERS
        if group and used + column > room:
            yield group
            group, used = [], 0
        group.append(name)
        used += column
    yield group


def _table(reports: Mapping[str, Report], figures: Mapping[str, str]) -> Table:
    table = Table("accounts", title_justify="left")
    for name in reports:
        table.add_column(name, justify="right")
    for figure, meaning in figures.items():
        table.add_row(meaning, *(str(report[figure]) for report in reports.values()))
    table.add_section()
    verdicts = (line("yes", "green") if report["balanced"] else line("NO", "red") for report in reports.values())
    table.add_row("balanced", *verdicts)
    return table


def show_dead_letters(letters: list[DeadLetter], console: Console) -> None:
    """Print every dead letter with its reason."""
    console.print()
    console.print(line("dead letters", "bold") if letters else line("no dead letters"))
    for letter in letters:
        report = letter.report()
        console.print(line(f"  {report['topic']}: {report['message']}"))
        console.print(line(f"    {report['reason']}"))


def show_sample(mesh: Mesh, feed: Feed, console: Console) -> None:
    """Print a query that an analyst would run, and its result."""
    sql = render("infra.local.demo/sample.sql", dataset=mesh.settings.dataset, feed=feed).strip()
    console.print()
    console.print(line("a query", "bold"))
    console.print(sql)
    with UserQuery(mesh.warehouse, mesh.settings, sql, _SAMPLE_SECONDS).run() as answer:
        show_rows(answer.columns, list(answer.rows), console)


def show_places(state: Path, endpoints: Endpoints, console: Console) -> None:
    """Print the locations of the data after the mesh has stopped."""
    console.print(f"\nbucket:   {state / 'storage' / endpoints.bucket}")
    console.print(f"DuckDB:   {state / 'warehouse'}")
    console.print(f"logs:     {state / 'logs'}")
