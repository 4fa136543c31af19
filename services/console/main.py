"""The `gti-mesh` command: translate arguments, call the work, and say in one line what went wrong."""

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from infra.local.machine import PubSub
from infra.local.packages import hide_emulators_packages
from services.console.arguments import LocalPubSub, LocalState, State, feed_names, minute
from services.console.operate import dead_app, gaps, status
from services.console.secops import secops_app
from shared.outcomes import MeshError

app = typer.Typer(
    name="gti-mesh",
    help="Every VirusTotal feed minute in BigQuery, every notification in SecOps: nothing lost, nothing twice.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(status)
app.command()(gaps)
app.add_typer(dead_app, name="dead")
app.add_typer(secops_app, name="secops")


def _console() -> Console:
    return Console(highlight=False)


@app.command()
def demo(
    minutes: Annotated[int, typer.Option(min=1, max=1440, help="Feed minutes to bring in, per feed.")] = 30,
    feeds: Annotated[str, typer.Option(callback=feed_names, help="Feeds, separated by commas.")] = "domains",
    lines: Annotated[int, typer.Option(min=0, max=100_000, help="Lines in each package.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the simulated packages.")] = 7,
    state: Annotated[Path, typer.Option(file_okay=False, help="State folder; made empty first.")] = Path(
        ".gti-mesh/demo"
    ),
    report: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Write the accounts to this file as JSON.")
    ] = None,
    pubsub: LocalPubSub = PubSub.AUTO,
) -> None:
    """Run the whole mesh once on this machine, through a scripted bad day, and balance the accounts."""
    from services.console.demo.run import DemoOptions, run_demo

    options = DemoOptions(
        minutes=minutes, feeds=feeds, lines=lines, seed=seed, state=state, report=report, pubsub=pubsub
    )
    raise typer.Exit(0 if run_demo(options, _console()) else 1)


@app.command()
def up(
    state: Annotated[Path, typer.Option(file_okay=False, help="State folder; kept between runs.")] = Path(
        ".gti-mesh/up"
    ),
    lines: Annotated[int, typer.Option(min=0, help="Lines in each simulated package.")] = 60,
    seed: Annotated[int, typer.Option(help="Seed of the simulated packages.")] = 7,
    pubsub: LocalPubSub = PubSub.AUTO,
) -> None:
    """Keep the mesh running on this machine, with its schedules, until Ctrl-C.

    With VT_API_KEY (and optionally VT_API_URL) in the environment or `.env` it reads that server instead of the
    simulator.
    """
    from services.console.up import run_up

    run_up(state, lines=lines, seed=seed, pubsub=pubsub, console=_console())


@app.command()
def provision(
    fill: Annotated[
        bool,
        typer.Option("--fill-from-history", help="Read headline columns of all rows anew; bills every object kept."),
    ] = False,
    state: State = None,
) -> None:
    """Make bucket, dataset, tables, columns and views where they are missing; nothing is ever dropped."""
    from services.console.mesh import find_mesh
    from services.console.provision import provision_mesh

    for line in provision_mesh(find_mesh(state), fill=fill):
        typer.echo(line)


@app.command()
def audit(
    since: Annotated[
        datetime | None,
        typer.Option(parser=minute, metavar="MINUTE", help="Only minutes since this one, 2026-11-21T14:10Z."),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Check newest versions too, which reads whole objects.")] = False,
    state: State = None,
) -> None:
    """Compare package lines, rejects, staging, history and ledger for every minute; exit 1 where they disagree."""
    from services.console.audit import audit
    from services.console.mesh import find_mesh

    balanced = True
    for found in audit(find_mesh(state), since, deep=deep, now=datetime.now(UTC)):
        typer.echo(found.summary())
        for wrong in found.wrong:
            typer.echo(f"  {wrong}")
        balanced = balanced and not found.wrong
    raise typer.Exit(0 if balanced else 1)


@app.command()
def plan(state: LocalState = None) -> None:
    """Have a local mesh's planner publish what is due now, as its schedule does every minute.

    In the cloud: gcloud scheduler jobs run plan.
    """
    from services.console.mesh import find_local_mesh
    from services.console.trigger import trigger

    typer.echo(json.dumps(trigger(find_local_mesh(state), "planner")))


@app.command()
def replay(
    feed: Annotated[str, typer.Argument(help="The feed, for example domains.")],
    first: Annotated[
        datetime | None, typer.Argument(parser=minute, metavar="FROM", help="First minute, 2026-11-21T14:10Z.")
    ] = None,
    last: Annotated[
        datetime | None, typer.Argument(parser=minute, metavar="TO", help="Last minute, inclusive.")
    ] = None,
    gaps: Annotated[bool, typer.Option("--gaps", help="Instead of a range: every minute that `gaps` names.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Fetch minutes again that have landed.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the minutes until they are merged.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before more than a day.")] = False,
    state: State = None,
) -> None:
    """Ask for a range of feed minutes again, both ends included, or for all that is missing."""
    from services.console import replay as work
    from services.console.follow import latest_event
    from services.console.mesh import find_mesh

    mesh = find_mesh(state)
    minutes = work.wanted_minutes(mesh, feed, first, last, gaps=gaps)
    if len(minutes) > work.MANY and not yes:
        typer.confirm(f"Ask for {len(minutes)} minutes of {feed}?", abort=True)
    before = latest_event(mesh, feed, minutes) if wait and minutes else None
    work.replay(mesh, feed, minutes, force=force)
    typer.echo(f"asked for {len(minutes)} minutes of {feed}")
    if before:
        done = work.follow_replay(mesh, feed, minutes, before, _console())
        typer.echo(f"{done.merged} merged, {done.ended} absent or dead")


def main() -> None:
    """Run the command; expected errors are one line on standard error, and no stack trace reaches a user."""
    hide_emulators_packages()
    try:
        app()
    except MeshError as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("interrupted")
    except Exception as error:
        # The boundary between code and people.
        if os.environ.get("GTI_MESH_DEBUG"):
            raise
        _fail(_unforeseen(error))


def _unforeseen(error: Exception) -> str:
    # With a file name it is about a place that the caller has chosen; the network's errors have none.
    if isinstance(error, OSError) and error.filename is not None:
        return f"cannot use {error.filename}: {error.strerror}"
    return f"unexpected {type(error).__name__}: {error} (GTI_MESH_DEBUG=1 shows the stack)"


def _fail(text: str) -> None:
    typer.echo(f"gti-mesh: {text}", err=True)
    sys.exit(1)
