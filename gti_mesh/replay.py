"""`gti-mesh replay`: request feed minutes again."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gti_mesh.parameters import PackageTime, State, Yes, package_time
from gti_mesh.printing import say
from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import MeshError
from shared.feeds.definition import period_of
from shared.runtime.terminal import terminal

if TYPE_CHECKING:
    from shared.operations.follow import Reached
    from shared.operations.mesh import Mesh
    from shared.operations.replay import Wanted


def replay(
    feed: Annotated[str | None, typer.Argument(help="The feed, for example domains; with --gaps all feeds.")] = None,
    first: Annotated[
        PackageTime | None,
        typer.Argument(parser=package_time, metavar="FROM", help="First minute: 2026-11-21T14:10Z, or -3h."),
    ] = None,
    last: Annotated[
        PackageTime | None, typer.Argument(parser=package_time, metavar="TO", help="Last minute, inclusive.")
    ] = None,
    gaps: Annotated[bool, typer.Option("--gaps", help="Instead of a range: the gaps that have a remedy.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also fetch minutes that have landed.")] = False,
    replace: Annotated[
        bool,
        typer.Option("--replace", help="Delete the rows of the minutes first; with --force land the minutes again."),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Follow the minutes until they are merged; exit 1 unless all are.")
    ] = False,
    seconds: Annotated[float, typer.Option("--timeout", min=1, help="With --wait: time limit in seconds.")] = 7200,
    yes: Yes = False,
    state: State = None,
) -> None:
    """Request a range of feed minutes again, both ends included, or everything that is missing."""
    from infra.find_mesh import find_mesh
    from shared.operations import replay as work
    from shared.operations.replace import replace as replace_rows

    span = _span(feed, first, last, gaps=gaps)
    mesh = find_mesh(state)
    wanted = {span[0]: work.wanted_minutes(mesh, *span)} if span else work.missing_minutes(mesh, feed)
    if not wanted:
        say("no gaps that a replay can repair")
        return
    if replace:
        _confirm_replacement(wanted, yes=yes)
    _confirm(mesh, wanted, yes=yes)
    before = work.latest_events(mesh, wanted) if wait else {}
    for name, minutes in wanted.items():
        if replace:
            replace_rows(mesh, name, minutes, force=force, now=utc_now())
        else:
            work.replay(mesh, name, minutes, force=force)
        period, count = mesh.settings.period(name).name, len(minutes)
        say(f"asked for {count} {period}{'' if count == 1 else 's'} of {name}")
    if wait:
        merge = _merge(state)
        report(wanted, lambda: work.follow_replay(mesh, wanted, before, terminal(), seconds=seconds, merge=merge))


def _span(
    feed: str | None, first: PackageTime | None, last: PackageTime | None, *, gaps: bool
) -> tuple[str, datetime, datetime] | None:
    """Return the feed with its first and last minute, or None for every gap."""
    if gaps and first is None:
        return None
    if gaps:
        raise typer.BadParameter("name a range or --gaps, not both")
    if feed is None or first is None or last is None:
        raise typer.BadParameter("name a feed, its first and its last minute, or use --gaps")
    period = period_of(feed)
    return feed, first.of(period), last.of(period)


def _confirm_replacement(wanted: "Wanted", *, yes: bool) -> None:
    """Print what will be deleted from the warehouse, and ask for confirmation."""
    for name, minutes in wanted.items():
        step = f"remove the rows of {len(minutes)} minutes from {name}_history and {name}_current until the next merge"
        if yes:
            say(step)
        else:
            typer.confirm(f"{step}?", abort=True)


def _confirm(mesh: "Mesh", wanted: "Wanted", *, yes: bool) -> None:
    """Print the number of minutes and the duration of a large replay, and ask for confirmation."""
    from shared.operations.replay import MANY, time_to_load

    count = sum(len(minutes) for minutes in wanted.values())
    if count <= MANY:
        return
    minutes = max(1, round(time_to_load(mesh, wanted).total_seconds() / 60))
    feeds = ", ".join(wanted)
    estimate = f"{count} minutes of {feeds}: about {minutes} min to load at today's volume, then the next merge"
    if yes:
        say(estimate)
    else:
        typer.confirm(f"{estimate}. Request them?", abort=True)


def _merge(state: Path | None) -> Callable[[], object] | None:
    from infra.endpoints import DEFAULT_STATE, read_endpoints
    from infra.trigger import trigger

    local = read_endpoints(state or DEFAULT_STATE)
    return partial(trigger, local, "merger") if local else None


def report(wanted: "Wanted", follow: "Callable[[], Mapping[str, Reached]]") -> None:
    """Report how the replay ended; raise MeshError unless every minute is merged."""
    from shared.operations.follow import NotDone

    count = sum(len(minutes) for minutes in wanted.values())
    continues = "the requests continue without this command, and `gti-mesh gaps` names what is left"
    try:
        done = follow()
    except NotDone as late:
        raise MeshError(f"{_summary(late.reached)} of {count} in time; {continues}") from None
    except KeyboardInterrupt:
        raise MeshError(f"interrupted; {continues}") from None
    say(_summary(done))
    if any(one.ended for one in done.values()):
        raise typer.Exit(1)


def _summary(done: "Mapping[str, Reached]") -> str:
    merged, ended = sum(one.merged for one in done.values()), sum(one.ended for one in done.values())
    return f"{merged} merged, {ended} absent or dead"
