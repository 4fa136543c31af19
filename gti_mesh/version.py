"""`gti-mesh --version`: version information for bug reports."""

import platform
from importlib.metadata import version
from typing import Annotated

import typer

from gti_mesh.printing import say


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"gti-mesh {version('gti-mesh')}, Python {platform.python_version()}, {platform.platform()}")
        raise typer.Exit


def gti_mesh(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options of the command itself."""
