"""`gti-mesh secops`: forward streams in this process, and check the parser in a tenant."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gti_mesh.parameters import State, TakesTimes, minute, package_time
from gti_mesh.printing import say
from gti_mesh.standalone import Folder, configure_output, find_standalone

if TYPE_CHECKING:
    from shared.operations.mesh import Mesh

secops_app = typer.Typer(help="IOC streams into Google SecOps.", no_args_is_help=True)


@secops_app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Poll and deliver once, instead of every five minutes.")] = False,
    folder: Annotated[
        Path | None, typer.Option(help="Keep pages and deliveries in this folder instead of LANDING_BUCKET.")
    ] = None,
    with_mesh: Annotated[
        bool, typer.Option("--with-mesh", help="Also on a bucket that a mesh uses, in addition to its services.")
    ] = False,
) -> None:
    """Poll the streams and deliver their pages in this one process, without Pub/Sub and without services."""
    from services.secops_forwarder.standalone.run import run_standalone

    configure_output()
    if not run_standalone(folder, once=once, with_mesh=with_mesh, say=say):
        raise typer.Exit(1)


@secops_app.command(cls=TakesTimes)
def replay(
    stream: Annotated[str, typer.Argument(help="Name of a stream, or threat_lists.")],
    first: Annotated[
        str, typer.Argument(metavar="FROM", help="First page of its log; of threat_lists the first hour, or -3h.")
    ],
    last: Annotated[
        str | None, typer.Argument(metavar="TO", help="Last page or hour, inclusive; by default only the first.")
    ] = None,
    folder: Folder = None,
    state: State = None,
) -> None:
    """Deliver pages of a stream's log, or landed hours, again; what SecOps has accepted is not sent twice."""
    from infra.find_mesh import find_mesh
    from shared.operations.replay_pages import replay_pages
    from shared.streams.forwarded import FORWARDED_FEEDS

    if stream in FORWARDED_FEEDS:
        if bucket := find_standalone(state, folder):
            raise typer.BadParameter(
                f"{stream} lands in the bucket of a mesh; {bucket.uri('')} has pages of streams only"
            )
        _replay_hours(find_mesh(state), stream, first, last or first)
        return
    begin, end = _page_number(first), _page_number(last or first)
    if bucket := find_standalone(state, folder):
        from services.secops_forwarder.standalone.run import replay_standalone

        configure_output()
        if not replay_standalone(bucket, stream, begin, end, say):
            raise typer.Exit(1)
        return
    mesh = find_mesh(state)
    count = replay_pages(mesh.bucket, mesh.publisher, stream, begin, end)
    say(f"asked for {count} pages of {stream}")


def _page_number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < len(text) < 11 and int(text)):
        raise typer.BadParameter(f"{text!r} is not the number of a page, which are 1, 2, 3 and so on")
    return int(text)


def _replay_hours(mesh: "Mesh", feed: str, first: str, last: str) -> None:
    from shared.operations.replay_landings import replay_landings

    period = mesh.settings.period(feed)
    begin, end = (package_time(text).of(period) for text in (first, last))
    replayed = replay_landings(mesh.bucket, mesh.publisher, feed, begin, end)
    say(f"asked for {replayed.published} hours of {feed}")
    if replayed.missing:
        first_missing = f"{replayed.missing[0]:%Y-%m-%dT%H:%MZ}"
        say(f"not landed: {len(replayed.missing)} hours, the first {first_missing}; `gti-mesh replay` fetches them")


@secops_app.command()
def verify(
    stream: Annotated[str, typer.Argument(help="Name of a stream.")] = "ioc_stream",
    begin: Annotated[
        datetime | None,
        typer.Option("--from", parser=minute, help="Begin, as 2026-11-21T14:10Z; by default a day ago."),
    ] = None,
    end: Annotated[datetime | None, typer.Option("--to", parser=minute, help="End; by default 15 minutes ago.")] = None,
    folder: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Pages in this folder instead of a bucket.")
    ] = None,
    state: State = None,
) -> None:
    """Count the tenant's logs of a time window by raw-log search, and compare them with what was delivered."""
    from gti_mesh.verify import verify_stream
    from shared.contracts.minutes import floor_minute, utc_now

    last = end or floor_minute(utc_now() - timedelta(minutes=15))
    first = begin or last - timedelta(days=1)
    if not first < last:
        raise typer.BadParameter("--from must be before --to")
    if not verify_stream(stream, first, last, folder=folder, state=state, say=say):
        raise typer.Exit(1)


@secops_app.command("check-parser")
def check_parser(
    stream: Annotated[str, typer.Argument(help="Name of a stream, or threat_lists.")] = "ioc_stream",
    parser: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Parser to check; by default the one that comes with the mesh."),
    ] = None,
    samples: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="Logs, one JSON object per line; by default generated items.",
        ),
    ] = None,
) -> None:
    """Run a parser in the SecOps instance on sample logs, cleaned and verbatim, and show the results."""
    from gti_mesh.check_parser import check_parser as check

    if not check(stream, parser, samples, say=say):
        raise typer.Exit(1)
