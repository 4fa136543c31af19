"""What the demo prints at its end: accounts, dead letters, a query, and where everything lies."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from infra.local.endpoints import Endpoints
from services.console.accounts import FeedAccounts
from services.console.dead_letters import DeadLetter
from services.console.mesh import Mesh
from shared.feeds.definition import Feed
from shared.gcp.bigquery import bigquery_errors, run_query
from shared.warehouse.rendering import render

_COLUMNS = (
    *("due", "landed", "loaded", "merged", "absent", "dead"),
    *("lines", "rejected", "history_rows", "current_rows", "staging_rows"),
)


def show_accounts(accounts: dict[str, FeedAccounts], console: Console) -> None:
    """Print a row a feed, and whatever does not balance."""
    table = Table("feed", title="accounts", title_justify="left", title_style="bold")
    for column in _COLUMNS:
        table.add_column(column.replace("_", "\n"), justify="right")
    table.add_column("balanced")
    for feed, account in accounts.items():
        report = account.report()
        verdict = "[green]yes[/]" if report["balanced"] else "[red]NO[/]"
        table.add_row(feed, *(str(report[column]) for column in _COLUMNS), verdict)
    console.print(table)
    console.print("lines = history rows + rejected; one current row per id, checked to be its newest version")
    for feed, account in accounts.items():
        for wrong in account.mismatches():
            console.print(f"[red]{feed}: {wrong}[/]")


def show_dead_letters(letters: list[DeadLetter], console: Console) -> None:
    """Print every dead letter with its reason."""
    table = Table("topic", "reason", "message", title="dead letters", title_justify="left", title_style="bold")
    for letter in letters:
        table.add_row(letter.topic, letter.reason, letter.message)
    console.print(table)


def show_sample(mesh: Mesh, feed: Feed, console: Console) -> None:
    """Print a query that an analyst would run, and its result."""
    sql = render("services.console/sample.sql", dataset=mesh.settings.dataset, feed=feed).strip()
    console.print(f"\n[bold]a query[/]\n{sql}", highlight=False)
    with bigquery_errors():
        rows = run_query(mesh.warehouse, sql)
    table = Table(*(rows[0].keys() if rows else ("no rows",)))
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))  # type: ignore[no-untyped-call]
    console.print(table)


def show_places(state: Path, endpoints: Endpoints, console: Console) -> None:
    """Print where the data lies after the mesh has stopped."""
    console.print(f"\nbucket:   {state / 'storage' / endpoints.bucket}")
    console.print(f"DuckDB:   {state / 'warehouse'}")
    console.print(f"logs:     {state / 'logs'}")
