"""`gti-mesh fold`: fold a feed's newest versions now, or repair what a fold repairs."""

from typing import Annotated

import typer

from gti_mesh.parameters import KnownFeed, State, Yes
from gti_mesh.printing import say


def fold(
    feed: KnownFeed,
    everything: Annotated[
        bool, typer.Option("--all", help="Leave no hour of recent, not even rows from the future.")
    ] = False,
    yes: Yes = False,
    state: State = None,
) -> None:
    """Write a new base of a feed from its base and recent tables; the merger does it by itself when it is due."""
    from infra.find_mesh import find_mesh
    from services.merger.by_hand import fold_by_hand, question
    from shared.feeds.definition import find_feed

    mesh, definition = find_mesh(state), find_feed(feed)
    text = question(mesh, definition)
    if not yes:
        typer.confirm(f"{text} Fold {feed}?", abort=True)
    done = fold_by_hand(mesh, definition, everything=everything)
    say(f"folded {done.folded_rows} rows; base has {done.base_rows} rows of generation {done.generation}")
