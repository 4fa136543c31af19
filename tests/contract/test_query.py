"""`gti-mesh query` on the BigQuery emulator."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gti_mesh.main import app
from infra.local.state import StateFolder
from shared.operations.query import QueryRefused, UserQuery
from tests.support.operations import mesh_of
from tests.support.warehouse import Warehouse, utc

Ask = Callable[..., Result]
VALUES = """
SELECT 1 AS number, CAST(NULL AS STRING) AS nothing, '[red]a,b[/]' AS text, TRUE AS truth,
  TIMESTAMP '2026-11-21 10:00:00.5+00' AS moment, JSON '{"a": [1, "x"]}' AS object, ['a', 'b'] AS list,
  STRUCT(1 AS x, DATE '2026-11-21' AS y) AS pair
"""


@pytest.fixture
def ask(warehouse: Warehouse, tmp_path: Path) -> Iterator[Ask]:
    """Return a function that runs the command on a local mesh with this warehouse."""
    at = warehouse.endpoints.model_copy(update={"dataset": warehouse.dataset, "feeds": "domains"})
    state = StateFolder(tmp_path / "state")

    def run(*arguments: str, width: int = 80, typed: str = "") -> Result:
        environment = {"COLUMNS": str(width)}
        return CliRunner().invoke(app, ["query", "--state", str(state.path), *arguments], env=environment, input=typed)

    with state.claimed(fresh=True):
        at.write(state.path)
        yield run


def filled(warehouse: Warehouse) -> None:
    """Load two domains."""
    seen = int(datetime(2026, 11, 21, 10, tzinfo=UTC).timestamp())
    minute = warehouse.land(
        utc(10, 0),
        {"id": "a.example", "attributes": {"last_analysis_date": seen, "last_analysis_stats": {"malicious": 9}}},
        {"id": "b.example", "attributes": {"last_analysis_date": seen}},
    )
    warehouse.load(minute)
    warehouse.merge()


def test_tables_need_no_dataset_and_may_have_one(ask: Ask, warehouse: Warehouse) -> None:
    """A table is read by its name, with or without the dataset."""
    filled(warehouse)
    for table in (
        "domains",
        f"{warehouse.dataset}.domains",
        f"`{warehouse.endpoints.project}.{warehouse.dataset}.domains`",
    ):
        done = ask(f"SELECT id, malicious, last_analysis_date FROM {table} ORDER BY id")  # noqa: S608
        assert done.exit_code == 0, done.output
        assert "│ a.example │         9 │ 2026-11-21T10:00:00Z │" in done.stdout
        assert "│ b.example │      NULL │ 2026-11-21T10:00:00Z │" in done.stdout
        assert done.stdout.endswith("\n2 rows\n")
        assert done.stderr == ""


def test_a_wide_view_is_shown_whole(ask: Ask, warehouse: Warehouse) -> None:
    """Every column of a wide view is printed on its own line, in a terminal of any width."""
    filled(warehouse)
    done = ask("SELECT * FROM domains WHERE id = 'a.example'", width=60)
    assert max(map(len, done.stdout.splitlines())) <= 60
    assert "\n1 row\n" in done.stdout
    for name in ("id", "malicious", "attributes", "relationships"):
        assert f"\n  {name} " in done.stdout


def test_values_are_written_for_programs(ask: Ask) -> None:
    """JSON output keeps the types of JSON; CSV holds JSON in fields that are not text."""
    found = json.loads(ask(VALUES, "--json").stdout)
    assert found == [
        {
            "number": 1,
            "nothing": None,
            "text": "[red]a,b[/]",
            "truth": True,
            "moment": "2026-11-21T10:00:00.500000Z",
            "object": {"a": [1, "x"]},
            "list": ["a", "b"],
            "pair": {"x": 1, "y": "2026-11-21"},
        }
    ]
    [row] = csv.DictReader(io.StringIO(ask(VALUES, "--csv").stdout))
    assert (row["nothing"], row["text"], row["truth"]) == ("", "[red]a,b[/]", "true")
    assert (json.loads(row["object"]), json.loads(row["list"])) == (found[0]["object"], found[0]["list"])
    assert "[red]a,b[/]" in ask(VALUES).stdout


def test_rows_are_limited_in_a_table_and_that_is_said(ask: Ask) -> None:
    """A table is limited to a number of rows, and says so; the limit can be changed, and files get all rows."""
    many = "SELECT x FROM UNNEST(GENERATE_ARRAY(1, 250)) AS x ORDER BY x"
    assert ask(many).stdout.splitlines()[-1] == "the first 100 of 250 rows; --rows 0 prints all"
    assert ask(many, "--rows", "0").stdout.splitlines()[-1] == "250 rows"
    assert len(json.loads(ask(many, "--json").stdout)) == 250
    assert ask(many, "--csv", "--rows", "2").stdout == "x\n1\n2\n"


def test_no_rows_are_an_answer(ask: Ask) -> None:
    """A query without rows prints an empty result in every format."""
    nothing = "SELECT id FROM domains LIMIT 0"
    assert ask(nothing).stdout == "0 rows\n"
    assert json.loads(ask(nothing, "--json").stdout) == []
    assert ask(nothing, "--csv").stdout == "id\n"


def test_a_query_comes_from_a_file_or_from_standard_input(ask: Ask, tmp_path: Path) -> None:
    """A query is read from a file or standard input, with comments and a final semicolon."""
    (tmp_path / "q.sql").write_text("-- one\nSELECT 1 AS one;\n", encoding="utf-8")
    assert ask("--file", str(tmp_path / "q.sql"), "--csv").stdout == "one\n1\n"
    assert ask("-", "--csv", typed="SELECT 2 AS two").stdout == "two\n2\n"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT malicous FROM domains_current", "malicous"),
        ("SELEC 1", "Syntax error"),
        ("SELEC * FROM domains", "Syntax error"),
        ("hello", "yntax error"),
        ("SELECT 1 / 0", "division by zero"),
        ("SELECT * FROM domain", "creates the tables of FEEDS and STREAMS_TO_BIGQUERY (domains)"),
        ("/* nothing */", "no statement"),
    ],
)
def test_a_wrong_query_is_one_clear_line(ask: Ask, sql: str, reason: str) -> None:
    """A failing query prints the reason, without control characters, and no result."""
    done = ask(sql)
    assert isinstance(done.exception, QueryRefused)
    assert reason in str(done.exception)
    assert str(done.exception).isprintable()
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("DELETE FROM domains_history WHERE TRUE", "DELETE"),
        ("SELECT 1; DELETE FROM {d}.domains_history WHERE TRUE", "SCRIPT"),
        ("BEGIN DELETE FROM {d}.domains_history WHERE TRUE; END", "SCRIPT"),
        ("TRUNCATE TABLE domains_history", "TRUNCATE_TABLE"),
        ("DROP TABLE domains_history", "DROP_TABLE"),
    ],
)
def test_what_writes_is_refused_and_has_not_run(ask: Ask, warehouse: Warehouse, sql: str, kind: str) -> None:
    """A statement that writes is refused, and the dry run before that has not run it."""
    filled(warehouse)
    done = ask(sql.format(d=warehouse.dataset))
    assert isinstance(done.exception, QueryRefused)
    assert f"this is {kind}" in str(done.exception)
    assert len(warehouse.read("domains_history", "id")) == 2


def test_what_writes_runs_when_told(ask: Ask, warehouse: Warehouse) -> None:
    """A statement that writes runs with the option, and prints the number of changed rows."""
    filled(warehouse)
    assert ask("DELETE FROM domains_history WHERE id = 'a.example'", "--write").stdout == "1 row changed\n"
    assert warehouse.read("domains_history", "id") == [("b.example",)]


def test_a_dry_run_of_a_script_runs_nothing(warehouse: Warehouse) -> None:
    """A dry run of a script runs nothing for any client, as in BigQuery."""
    filled(warehouse)
    mesh = mesh_of(warehouse)
    sql = f"DELETE FROM {warehouse.dataset}.domains_history WHERE TRUE; SELECT 1"  # noqa: S608
    assert UserQuery(mesh.warehouse, mesh.settings, sql, 60).estimate.statement == "SCRIPT"
    assert len(warehouse.read("domains_history", "id")) == 2


def test_a_dry_run_of_a_query_runs_nothing(warehouse: Warehouse) -> None:
    """A dry run checks types and the query's errors, and runs nothing."""
    mesh = mesh_of(warehouse)

    def question(sql: str) -> UserQuery:
        return UserQuery(mesh.warehouse, mesh.settings, sql, 60)

    fails = question("SELECT id, ERROR('it ran') AS e FROM (SELECT 'a' AS id UNION ALL SELECT 'b') ORDER BY id; -- end")
    assert fails.estimate.statement == "SELECT"
    with pytest.raises(QueryRefused, match="it ran"), fails.run() as answer:
        list(answer.rows)
    with pytest.raises(QueryRefused, match="malicous"):
        _ = question("SELECT malicous FROM domains").estimate
