"""`gti-mesh plan`, `sweep` and `merge`: run what a schedule runs, now."""

import json
from pathlib import Path

import typer

from gti_mesh.parameters import LocalState
from shared.contracts.outcomes import Misconfigured


def plan(state: LocalState = None) -> None:
    """Make a local mesh's planner publish what is due now, as its schedule does every minute.

    In the cloud: gcloud scheduler jobs run plan.
    """
    _run("plan", state)


def sweep(state: LocalState = None) -> None:
    """Make a local mesh's planner ask again for what is missing, as its schedule does every ten minutes.

    In the cloud: gcloud scheduler jobs run sweep.
    """
    _run("sweep", state)


def merge(state: LocalState = None) -> None:
    """Make a local mesh's merger merge what is staged, as its schedule does twice an hour.

    In the cloud: gcloud scheduler jobs run merge.
    """
    _run("merge", state)


def _run(schedule: str, state: Path | None) -> None:
    from infra.find_mesh import find_local_mesh
    from infra.topology import read_topology
    from infra.trigger import trigger

    try:
        endpoints = find_local_mesh(state)
    except Misconfigured as error:
        in_the_cloud = f"in the cloud run: gcloud scheduler jobs run {schedule} --location REGION"
        raise Misconfigured(f"{error}; {in_the_cloud}") from None
    called = read_topology().schedules[schedule]
    typer.echo(json.dumps(trigger(endpoints, called.service, called.path)))
