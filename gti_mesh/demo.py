"""`gti-mesh demo`: run the whole mesh once on this machine, with scripted failures."""

from pathlib import Path
from typing import Annotated

import typer

from gti_mesh.parameters import feed_names, forwarded_stream_names, stream_names
from infra.local.prerequisites import PUBSUB_VARIABLE, PubSub
from shared.runtime.terminal import terminal

LocalPubSub = Annotated[
    PubSub,
    typer.Option(
        envvar=PUBSUB_VARIABLE,
        help="The embedded server (also for auto), or the official emulator, which loses its backlog when it ends.",
    ),
]
DEMO_STATE = Path(".gti-mesh/demo")


def demo(
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="Feed minutes to load, per feed.")] = 30,
    feeds: Annotated[str, typer.Option(callback=feed_names, help="Feeds, separated by commas.")] = "domains",
    streams: Annotated[
        str, typer.Option(callback=forwarded_stream_names, help="Streams to Google SecOps, separated by commas.")
    ] = "ioc_stream,vulnerabilities",
    streams_to_bigquery: Annotated[
        str, typer.Option(callback=stream_names, help="Streams that also go into BigQuery, separated by commas.")
    ] = "",
    lines: Annotated[int, typer.Option(min=0, max=100_000, help="Lines in each package.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the simulated packages.")] = 7,
    state: Annotated[Path, typer.Option(file_okay=False, help="State folder; emptied first.")] = DEMO_STATE,
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the accounts to this file as JSON.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Empty the folder even if `up` keeps a mesh in it.")] = False,
    pubsub: LocalPubSub = PubSub.AUTO,
) -> None:
    """Run the whole mesh once on this machine, with scripted failures, and balance the accounts."""
    from gti_mesh.demo_polls import poll_as_of
    from infra.local.contents import refuse_to_empty
    from infra.local.demo.run import DemoOptions, run_demo

    if not yes:
        refuse_to_empty(state, only_demos=state == DEMO_STATE)
    options = DemoOptions(
        minutes=minutes,
        feeds=feeds,
        streams=streams,
        streams_to_bigquery=streams_to_bigquery,
        poll_as_of=poll_as_of,
        lines=lines,
        seed=seed,
        state=state,
        report=report,
        pubsub=pubsub,
    )
    raise typer.Exit(0 if run_demo(options, terminal()) else 1)
