"""`gti-mesh query` before a query runs: its arguments, and the confirmation of a large query."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from gti_mesh.main import app
from gti_mesh.query import byte_size, confirm
from shared.operations.query import Estimate


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "give one query"),
        (["SELECT 1", "--file", "q.sql"], "give one query"),
        ([" \n"], "the query is empty"),
        (["--file", "nowhere.sql"], "nowhere.sql"),
        (["--file", "latin.sql"], "not UTF-8 text: invalid start byte at byte 8"),
        (["-"], "not UTF-8 text"),
        (["SELECT 1", "--json", "--csv"], "--json or --csv, not both"),
        (["SELECT 1", "--max-bytes", "much"], "'much' is not a number of bytes; write 500MB"),
        (["SELECT 1", "--rows", "-1"], "--rows"),
    ],
)
def test_a_wrong_argument_is_named(
    arguments: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 2, with the error; no mesh is looked up."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "q.sql").touch()
    (tmp_path / "latin.sql").write_bytes(b"SELECT '\xfc'")
    done = CliRunner().invoke(app, ["query", *arguments], env={"COLUMNS": "400"}, input=b"SELECT '\xfc'")
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (2, True), done.output
    assert reason in done.output


@pytest.mark.parametrize(
    ("text", "size"), [("1000", 1_000), ("500MB", 500_000_000), ("2 GiB", 2 * 2**30), ("1tb", 10**12), ("0", 0)]
)
def test_bytes_have_units(text: str, size: int) -> None:
    """Decimal and binary units are accepted."""
    assert byte_size(text) == size


def asked(estimate: Estimate, answer: str = "", *, asks: bool = True, can_ask: bool = True) -> tuple[int, str]:
    """Return the exit code of `confirm` with this input, and its output on standard error."""
    one = typer.Typer()

    @one.command()
    def command() -> None:
        confirm(estimate, asks=asks, can_ask=can_ask)
        typer.echo("runs")

    done = CliRunner().invoke(one, input=answer, env={"COLUMNS": "400"})
    assert ("runs" in done.stdout) == (done.exit_code == 0)
    return done.exit_code, done.stderr


SMALL, LARGE, SCRIPT = Estimate("SELECT", 12_000_000), Estimate("SELECT", 3_400_000_000_000), Estimate("SCRIPT", None)


def test_a_small_query_runs_and_its_bytes_are_said() -> None:
    """The size is printed on standard error, because standard output may go to a file."""
    assert asked(SMALL) == (0, "reads 12.0 MB\n")


def test_a_large_query_asks_first() -> None:
    """Yes runs the query, no and end of input do not; with an option there is no question."""
    code, text = asked(LARGE, "y\n")
    assert (code, text.startswith("reads 3.4 TB\nRun it?")) == (0, True)
    assert asked(LARGE, "n\n")[0] == 1
    assert asked(LARGE)[0] == 1
    assert asked(LARGE, asks=False) == (0, "reads 3.4 TB\n")


def test_a_script_asks_because_nobody_knows() -> None:
    """A query whose size is unknown needs confirmation."""
    code, text = asked(SCRIPT, "n\n")
    assert code == 1
    assert "cannot tell" in text


def test_a_query_from_standard_input_cannot_be_asked_about() -> None:
    """Standard input has the query, so the question cannot be answered; the error names the options instead."""
    code, text = asked(LARGE, can_ask=False)
    assert code == 2
    assert "use --yes or --max-bytes" in text
