"""`gti-mesh provision`: bucket, dataset, tables and views."""

from typing import Annotated

import typer

from gti_mesh.parameters import State
from gti_mesh.printing import say


def provision(
    fill: Annotated[
        bool,
        typer.Option(
            "--fill-from-history", help="Read headline columns of all rows again; bills every object in history."
        ),
    ] = False,
    state: State = None,
) -> None:
    """Create bucket, dataset, tables, columns and views if missing; nothing is ever dropped."""
    from infra.find_mesh import find_mesh
    from shared.operations.provision import provision_mesh

    for line in provision_mesh(find_mesh(state), fill=fill):
        say(line)
