"""What the demo prints at its end: accounts, dead letters, a query, and where everything lies."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local.endpoints import Endpoints
from services.console.accounts import FeedAccounts
from services.console.dead_letters import DeadLetter
from services.console.mesh import Mesh
from services.console.stream_accounts import StreamAccounts
from shared.feeds.definition import Feed
from shared.gcp.bigquery import bigquery_errors, run_query
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
    "duplicates": "notifications sent twice, after an answer that was lost",
}


def show_accounts(accounts: dict[str, FeedAccounts], console: Console) -> None:
    """Print a column a feed, and whatever does not balance."""
    _show(accounts, _FIGURES, console)


def show_streams(accounts: dict[str, StreamAccounts], console: Console) -> None:
    """Print a column a stream, and whatever does not balance."""
    _show(accounts, _STREAM_FIGURES, console)


def _show(accounts: Mapping[str, FeedAccounts | StreamAccounts], figures: Mapping[str, str], console: Console) -> None:
    reports = {name: account.report() for name, account in accounts.items()}
    table = Table("accounts", title_justify="left")
    for name in reports:
        table.add_column(name, justify="right")
    for figure, meaning in figures.items():
        table.add_row(meaning, *(str(report[figure]) for report in reports.values()))
    table.add_section()
    verdicts = ("[green]yes[/]" if report["balanced"] else "[red]NO[/]" for report in reports.values())
    table.add_row("balanced", *verdicts)
    console.print(table)
    for name, account in accounts.items():
        for wrong in account.mismatches():
            console.print(f"[red]{name}: {wrong}[/]")


def show_dead_letters(letters: list[DeadLetter], console: Console) -> None:
    """Print every dead letter with its reason."""
    console.print("\n[bold]dead letters[/]" if letters else "\nno dead letters")
    for letter in letters:
        told = letter.report()
        console.print(f"  {told['topic']}: {told['message']}\n    {told['reason']}", markup=False)


def show_sample(mesh: Mesh, feed: Feed, console: Console) -> None:
    """Print a query that an analyst would run, and its result."""
    sql = render("services.console/sample.sql", dataset=mesh.settings.dataset, feed=feed).strip()
    console.print(f"\n[bold]a query[/]\n{sql}", highlight=False)
    with bigquery_errors():
        rows = [dict(row.items()) for row in run_query(mesh.warehouse, sql)]
    table = Table(*(rows[0] if rows else ("no rows",)))
    for row in rows:
        table.add_row(*(_written(value) for value in row.values()))
    console.print(table)


def show_places(state: Path, endpoints: Endpoints, console: Console) -> None:
    """Print where the data lies after the mesh has stopped."""
    console.print(f"\nbucket:   {state / 'storage' / endpoints.bucket}")
    console.print(f"DuckDB:   {state / 'warehouse'}")
    console.print(f"logs:     {state / 'logs'}")


def _written(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)
