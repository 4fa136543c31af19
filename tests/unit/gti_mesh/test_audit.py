"""`gti-mesh audit` says how much it will read, and asks before much."""

import pytest
import typer
from typer.testing import CliRunner

from gti_mesh.audit import ask_first, refuse_future
from shared.contracts.minutes import ONE_MINUTE
from shared.operations.mesh import Mesh
from shared.runtime.settings import MeshSettings
from tests.support.doubles import NOON
from tests.support.dry_runs import PROJECT, DryRuns

TABLES = ("minutes", *(f"domains_{name}" for name in ("history", "staging", "recent", "base", "fence", "current")))


def asked(a_table: int, typed: str = "", *, yes: bool = False) -> tuple[int, str]:
    """Return the exit code and the output of the question, for tables of a size."""
    mesh = Mesh(MeshSettings.model_validate({"GCP_PROJECT": PROJECT, "LANDING_BUCKET": "b"}))
    mesh.__dict__["warehouse"] = DryRuns(dict.fromkeys(TABLES, a_table), 1, NOON).client()
    app = typer.Typer()
    app.command()(lambda: ask_first(mesh, None, deep=False, now=NOON, yes=yes))
    done = CliRunner().invoke(app, input=typed)
    return done.exit_code, done.output


def test_little_is_read_without_a_question() -> None:
    """The bytes are said, and that is all."""
    code, text = asked(10_000_000)
    assert (code, text) == (0, "BigQuery will read 0.2 GB\n")


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_much_is_read_only_after_a_yes(typed: str, code: int) -> None:
    """Without somebody who answers, nothing is read."""
    found, text = asked(10_000_000_000, typed)
    assert found == code
    assert "GB\nGo on? [y/N]" in text


def test_yes_answers_the_question() -> None:
    """For programs."""
    code, text = asked(10_000_000_000, yes=True)
    assert (code, "Go on?" in text) == (0, False)


def test_an_audit_of_the_future_is_refused() -> None:
    """It would compare nothing, and report that nothing is wrong."""
    with pytest.raises(typer.BadParameter, match="2026-11-21T12:01:00Z is in the future"):
        refuse_future(NOON + ONE_MINUTE, NOON)
    refuse_future(NOON, NOON)
    refuse_future(None, NOON)
