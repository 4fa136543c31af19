"""`gti-mesh migrate`: move the tables of an earlier version."""

import typer

from gti_mesh.parameters import KnownFeed, State, Yes
from gti_mesh.printing import say

migrate_app = typer.Typer(help="Move what an earlier version has left.", no_args_is_help=True)


@migrate_app.callback()
def _commands() -> None:
    """Without this callback, Typer takes the only command for the whole application."""


@migrate_app.command("current")
def migrate_current(
    feed: KnownFeed,
    yes: Yes = False,
    state: State = None,
) -> None:
    """Move the table <feed>_current into <feed>_base and put a view in its place; can be interrupted and run again."""
    from infra.find_mesh import find_mesh
    from shared.feeds.definition import find_feed
    from shared.operations.provision import current_move

    move = current_move(find_mesh(state), find_feed(feed))
    if plan := move.plan():
        say(*plan)
        if not yes:
            typer.confirm(f"Move {feed}_current?", abort=True)
    for step in move.run():
        say(step)
