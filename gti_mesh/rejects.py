"""`gti-mesh rejects`: the lines of a minute that are not in the warehouse, with the reasons."""

from typing import TYPE_CHECKING, Annotated

import typer

from gti_mesh.parameters import AsJson, PackageTime, State, package_time, print_json
from gti_mesh.printing import say
from shared.feeds.definition import period_of

if TYPE_CHECKING:
    from shared.operations.rejects import Reject

_SHOWN = 300


def rejects(
    feed: Annotated[str, typer.Argument(help="The feed, for example domains.")],
    minute: Annotated[
        PackageTime, typer.Argument(parser=package_time, metavar="MINUTE", help="2026-11-21T14:10Z, or -3h.")
    ],
    as_json: AsJson = False,
    state: State = None,
) -> None:
    """Show the rejected lines of a minute that has landed, each with the reason; --json has them in full."""
    from infra.find_mesh import find_mesh
    from shared.operations.rejects import read_rejects

    found = read_rejects(find_mesh(state).bucket, feed, minute.of(period_of(feed)))
    if as_json:
        print_json([reject.report() for reject in found])
        return
    for reject in found:
        _show(reject)
    say("1 rejected line" if len(found) == 1 else f"{len(found)} rejected lines")


def _show(reject: "Reject") -> None:
    place = "a line without a number" if reject.feed_line is None else f"line {reject.feed_line}"
    beginning = reject.line[:_SHOWN]
    say(f"{place}: {reject.reason}", f"    {beginning}{'…' if len(reject.line) > _SHOWN else ''}")
