"""`gti-mesh up`: keep the mesh running on this machine."""

from pathlib import Path
from typing import Annotated

import typer

from gti_mesh.demo import LocalPubSub
from infra.endpoints import DEFAULT_STATE
from infra.local.prerequisites import PubSub
from shared.runtime.terminal import terminal


def up(
    state: Annotated[Path, typer.Option(file_okay=False, help="State folder; kept between runs.")] = DEFAULT_STATE,
    lines: Annotated[
        int | None, typer.Option(min=0, help="Lines in each simulated package: those of the state folder, or 60.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the simulated packages; by default that of the state folder, or 7.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the status page; by default that of last time, or a free one."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Empty the state folder first.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Empty without asking; leave feeds of the folder out.")] = False,
    pubsub: LocalPubSub = PubSub.AUTO,
) -> None:
    """Keep the mesh running on this machine, with its schedules, until Ctrl-C.

    With VT_API_KEY (and optionally VT_API_URL) in the environment or `.env` it reads that server instead of the
    simulator. A state folder remembers its source and its feeds and continues with them.
    """
    from gti_mesh.service_settings import passed_on
    from infra.local.up import UpOptions, caller_settings, run_up

    if fresh and not yes and state.is_dir():
        typer.confirm(f"Empty {state}, with every minute in it?", abort=True)
    options = UpOptions(state, seed=seed, lines=lines, port=port, pubsub=pubsub, fresh=fresh, yes=yes)
    run_up(options, caller_settings(passed_on()), terminal())
