"""`gti-mesh dead`: how the command line selects letters."""

import pytest
from typer.testing import CliRunner

from gti_mesh.dead import dead_app


@pytest.mark.parametrize("command", ["redrive", "discard"])
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "name dead letters by id"),
        (["--reason", ""], "an empty one is part of every reason"),
        (["--reason", "  "], "an empty one is part of every reason"),
        (["--type", ""], "unknown type ''"),
        (["--type", "poison"], "unknown type 'poison'"),
        (["7", "--all"], "not several of them"),
        (["7", "--reason", "spent"], "not several of them"),
        (["--all", "--type", "oversize"], "not several of them"),
    ],
)
def test_a_choice_that_could_mean_more_than_was_meant_is_refused(
    command: str, arguments: list[str], reason: str
) -> None:
    """An ambiguous selection is refused before anything is connected."""
    done = CliRunner().invoke(dead_app, [command, *arguments])
    assert done.exit_code == 2
    assert reason in " ".join(done.output.replace("│", "").split())


def test_resolved_letters_are_a_choice_of_their_own() -> None:
    """With ids as well, it would be unclear what is discarded."""
    done = CliRunner().invoke(dead_app, ["discard", "7", "--resolved"])
    assert (done.exit_code, "not several of them" in " ".join(done.output.replace("│", "").split())) == (2, True)
