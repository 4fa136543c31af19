"""`gti-mesh` reports its version, and completes commands."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.paths import REPOSITORY

COMMAND = str(Path(sys.executable).with_name("gti-mesh"))


def run(*arguments: str, **environment: str) -> str:
    """Run the command with an otherwise empty environment, and return its output."""
    given = {"PATH": "/usr/bin:/bin", **environment}
    done = subprocess.run(  # noqa: S603
        [COMMAND, *arguments], env=given, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


def test_the_version_is_that_of_the_project() -> None:
    """The version has Python and the machine, for bug reports."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert run("--version").startswith(f"gti-mesh {project['version']}, Python 3.")


def test_a_shell_can_complete_commands() -> None:
    """`gti-mesh --install-completion` adds this call to the shell's start-up file."""
    assert run(_GTI_MESH_COMPLETE="complete_bash", COMP_WORDS="gti-mesh rep", COMP_CWORD="1").split() == ["replay"]
    # The command finds out in which shell it runs; a test may run in none.
    in_bash = ["bash", "-c", f"{COMMAND} --show-completion && true"]
    done = subprocess.run(in_bash, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603
    assert "_GTI_MESH_COMPLETE" in done.stdout


def test_the_changelog_has_this_version() -> None:
    """The release notes are taken from the changelog."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"## {project['version']} - " in (REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")
