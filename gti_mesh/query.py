"""`gti-mesh query`: query the warehouse and print rows."""

import csv
import json
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import ByteSize, TypeAdapter, ValidationError

from gti_mesh.parameters import State
from gti_mesh.printing import say
from shared.runtime.foreign_text import visible
from shared.runtime.terminal import terminal

if TYPE_CHECKING:
    from shared.operations.query import Estimate, QueryResult

STDIN = "-"
# Below this, a query costs less than a cent and runs without confirmation.
_SMALL = ByteSize(10**9)
_TABLE_ROWS = 100


def byte_size(text: str) -> int:
    """Parse a number of bytes such as 500MB, 2 GiB or 1000000."""
    try:
        return TypeAdapter(ByteSize).validate_python(text)
    except ValidationError:
        raise typer.BadParameter(f"{text!r} is not a number of bytes; write 500MB, 10GB or 1TiB") from None


Sql = Annotated[str | None, typer.Argument(metavar="SQL", help="The query; - reads it from standard input.")]
SqlFile = Annotated[Path | None, typer.Option("--file", "-f", exists=True, dir_okay=False, help="Read it from a file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON: a list with one object per row.")]
AsCsv = Annotated[bool, typer.Option("--csv", help="Print CSV; NULL is empty.")]
Rows = Annotated[
    int | None,
    typer.Option(min=0, help=f"Rows to print, 0 for all; by default {_TABLE_ROWS} in a table, all as JSON or CSV."),
]
Write = Annotated[bool, typer.Option("--write", help="Also run statements that write, and scripts.")]
MaxBytes = Annotated[
    int | None,
    typer.Option(parser=byte_size, metavar="BYTES", help="In the cloud: maximum bytes to read, as 10GB; asks nothing."),
]
Seconds = Annotated[float, typer.Option("--timeout", min=1, help="Time limit of the query in seconds.")]
Yes = Annotated[bool, typer.Option("--yes", help="In the cloud: do not ask before a large query.")]


def query(
    sql: Sql = None,
    file: SqlFile = None,
    as_json: AsJson = False,
    as_csv: AsCsv = False,
    rows: Rows = None,
    write: Write = False,
    max_bytes: MaxBytes = None,
    seconds: Seconds = 300,
    yes: Yes = False,
    state: State = None,
) -> None:
    """Query the local mesh, or else the cloud, in BigQuery SQL; tables need no dataset: SELECT * FROM domains."""
    from infra.find_mesh import find_mesh
    from shared.operations.query import UserQuery

    if as_json and as_csv:
        raise typer.BadParameter("use --json or --csv, not both")
    text = read_sql(sql if file is None else file, twice=sql is not None and file is not None)
    mesh = find_mesh(state)
    user_query = UserQuery(mesh.warehouse, mesh.settings, text, seconds)
    user_query.estimate.check(write=write, max_bytes=max_bytes)
    if user_query.billed:
        confirm(user_query.estimate, asks=not yes and max_bytes is None, can_ask=sql != STDIN)
    with user_query.run(max_bytes) as result:
        if as_json:
            _print_json(result, rows or None)
        elif as_csv:
            _print_csv(result, rows or None)
        else:
            _print_table(result, _TABLE_ROWS if rows is None else rows or None)


def read_sql(source: str | Path | None, *, twice: bool) -> str:
    """Return the query: as given, from a file, or from standard input."""
    if source is None or twice:
        raise typer.BadParameter("give one query: as an argument, with --file FILE, or - for standard input")
    try:
        text = _text(source)
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"the query is not UTF-8 text: {error.reason} at byte {error.start}") from None
    if not text.strip():
        raise typer.BadParameter("the query is empty")
    return text


def _text(source: str | Path) -> str:
    if isinstance(source, Path):
        return source.read_text(encoding="utf-8")
    return sys.stdin.buffer.read().decode("utf-8") if source == STDIN else source


def confirm(estimate: "Estimate", *, asks: bool, can_ask: bool) -> None:
    """Print on standard error how much the query reads, and ask for confirmation of a large one."""
    read = estimate.bytes
    cost = "a script: BigQuery cannot tell what it reads" if read is None else f"reads {_human(read)}"
    say(cost, err=True)
    if not asks or (read is not None and read <= _SMALL):
        return
    if not can_ask:
        raise typer.BadParameter(f"the query {cost}; use --yes or --max-bytes to run it")
    typer.confirm("Run it? (--yes or a limit with --max-bytes skips this question)", abort=True, err=True)


def _human(count: int) -> str:
    return ByteSize(count).human_readable(decimal=True, separator=" ")


def _print_table(result: "QueryResult", limit: int | None) -> None:
    from shared.operations.row_table import show_rows

    if result.changed is not None:
        say(f"{_rows(result.changed)} changed")
        return
    shown = list(islice(result.rows, limit))
    whole = show_rows(result.columns, shown, terminal()) if shown else True
    more = result.total > len(shown)
    say(f"the first {len(shown)} of {result.total} rows; --rows 0 prints all" if more else _rows(result.total))
    if not whole:
        say("values that end in … are truncated; --json and --csv print them in full")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


def _print_json(result: "QueryResult", limit: int | None) -> None:
    """Print a JSON list while the rows arrive, one object per line."""
    from shared.operations.cells import json_value

    names = [column.name for column in result.columns]
    before = "["
    for row in islice(result.rows, limit):
        typer.echo(f"{before}\n  {json.dumps(dict(zip(names, map(json_value, row), strict=True)))}", nl=False)
        before = ","
    typer.echo("[]" if before == "[" else "\n]")


def _print_csv(result: "QueryResult", limit: int | None) -> None:
    from shared.operations.cells import csv_value

    # A file gets every character unchanged; a terminal would interpret control characters.
    shown = visible if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(shown(column.name) for column in result.columns)
    for row in islice(result.rows, limit):
        writer.writerow(shown(csv_value(value, column)) for value, column in zip(row, result.columns, strict=True))
