"""Find the mesh of a command: a local one that runs on a state folder, or the one in the cloud."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from infra.endpoints import DEFAULT_STATE, Endpoints, read_endpoints
from shared.contracts.outcomes import Misconfigured
from shared.operations.mesh import Mesh
from shared.runtime.settings import MeshSettings, read_settings


def find_mesh(state: Path | None) -> Mesh:
    """Return the local mesh that runs on `state` (by default on the folder that `up` uses), else the cloud's.

    Raises Misconfigured if a folder was named and no mesh runs there: a wrong folder must not fall back to the cloud.
    """
    endpoints = read_endpoints(state or DEFAULT_STATE)
    if endpoints:
        return replace(local_mesh(endpoints), state=str(state or ""))
    if state:
        raise _not_running(state)
    try:
        return Mesh(read_settings(MeshSettings))
    except Misconfigured as error:
        raise Misconfigured(
            f"{error}; set them for the mesh in the cloud, or start a local one with `gti-mesh up`"
            f" (none runs on {DEFAULT_STATE}; --state names another folder)"
        ) from None


def find_local_mesh(state: Path | None) -> Endpoints:
    """Return the endpoints of a running local mesh; raise Misconfigured if there is none."""
    folder = state or DEFAULT_STATE
    endpoints = read_endpoints(folder)
    if endpoints is None:
        raise _not_running(folder)
    return endpoints


def local_mesh(endpoints: Endpoints, feeds: str | None = None) -> Mesh:
    """Return a mesh that runs on this machine, and point this process's Google clients at it."""
    point_at(endpoints.environment())
    if feeds is not None:
        point_at({"FEEDS": feeds})
    return Mesh(read_settings(MeshSettings))


def point_at(environment: Mapping[str, str]) -> None:
    """Point this process's clients to the emulators: Google's libraries read the addresses from the environment."""
    os.environ.update(environment)


def _not_running(folder: Path) -> Misconfigured:
    return Misconfigured(f"no mesh runs on {folder}; start one with `gti-mesh up --state {folder}`")
