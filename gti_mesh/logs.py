"""`gti-mesh logs`: the log of a part of a local mesh."""

from typing import Annotated

import typer

from gti_mesh.parameters import LocalState
from gti_mesh.printing import say
from infra.endpoints import DEFAULT_STATE
from infra.local.log_files import find_log, follow, last_lines
from shared.contracts.outcomes import Misconfigured


def logs(
    service: Annotated[str, typer.Argument(help="A service, or another part: scheduler, pubsub, bigquery.")],
    follows: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is logged, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="Lines to begin with.")] = 50,
    state: LocalState = None,
) -> None:
    """Show the log of a service of a local mesh, also after the mesh has ended.

    In the cloud: gcloud run services logs read SERVICE.
    """
    file = find_log(state or DEFAULT_STATE, service)
    if file is None:
        raise Misconfigured(
            f"there are no logs in {state or DEFAULT_STATE}; start a mesh with `gti-mesh up`, or in the cloud run: "
            f"gcloud run services logs read {service} --region REGION"
        )
    if not follows:
        say(*last_lines(file, lines))
        return
    try:
        for line in follow(file, lines):
            say(line)
    except KeyboardInterrupt:
        return
