"""Line output of the commands."""

import typer

from shared.runtime.foreign_text import visible


def say(*lines: str, err: bool = False) -> None:
    """Print lines, optionally on standard error, with control characters escaped."""
    for text in lines:
        typer.echo(visible(text), err=err)
