"""`gti-mesh secops`: forward streams in this process, and have a tenant check the parser."""

from pathlib import Path
from typing import Annotated

import typer

from services.console.arguments import State

secops_app = typer.Typer(help="IOC streams into Google SecOps.", no_args_is_help=True)


@secops_app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Poll and deliver once, instead of every five minutes.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Keep pages and deliveries in this folder instead of LANDING_BUCKET.")
    ] = None,
) -> None:
    """Poll the streams and deliver their pages in this one process, without Pub/Sub and without services."""
    from services.console.standalone import run_standalone

    if not run_standalone(folder, once=once, say=typer.echo):
        raise typer.Exit(1)


@secops_app.command()
def replay(
    stream: Annotated[str, typer.Argument(help="Name of a stream.")],
    first: Annotated[int, typer.Argument(min=1, help="First page of its log.")],
    last: Annotated[int | None, typer.Argument(min=1, help="Last page; by default the first alone.")] = None,
    state: State = None,
) -> None:
    """Have pages of a stream's log delivered again; what SecOps has accepted of them is not sent twice."""
    from services.console.mesh import find_mesh
    from services.console.replay_pages import replay_pages

    mesh = find_mesh(state)
    count = replay_pages(mesh.bucket, mesh.publisher, stream, first, last or first)
    typer.echo(f"asked for {count} pages of {stream}")


@secops_app.command("check-parser")
def check_parser(
    parser: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Parser to check; by default the one that comes with the mesh."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="Logs, one JSON object a line; by default made-up notifications."
        ),
    ] = None,
) -> None:
    """Have the SecOps instance run a parser on sample logs, cleaned and verbatim, and show what it makes of them."""
    from services.console.parser_check import check_parser as check

    if not check(parser, samples, say=typer.echo):
        raise typer.Exit(1)
