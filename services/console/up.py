"""`gti-mesh up`: keep the mesh running on this machine."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from dotenv import dotenv_values
from rich.console import Console

from infra.local.endpoints import Endpoints
from infra.local.machine import PubSub
from infra.local.mesh import LocalMesh
from infra.local.parts import SimulatorOptions
from infra.topology import read_topology
from services.console.mesh import local_mesh
from services.console.provision import provision_mesh
from services.console.trigger import trigger
from shared.outcomes import MeshError, Misconfigured

# What of the caller's environment is meant for a mesh on this machine; its cloud project, for one, is not.
_PASSED_ON = (
    "FEEDS",
    "PLAN_BACK",
    "VT_API_URL",
    "VT_API_KEY",
    "DOWNLOAD_DEADLINE_SECONDS",
    "STREAMS",
    "VT_FILTERS",
    "VT_DATE_FILTER",
    "VT_ORDER",
    "VT_LIMIT",
    "SECOPS_API_URL",
    "SECOPS_CLEAN",
    "SECOPS_MAX_REQUEST_BYTES",
    "SECOPS_MAX_REQUEST_LOGS",
    "CHRONICLE_CUSTOMER_ID",
    "CHRONICLE_LOG_TYPE",
    "CHRONICLE_NAMESPACE",
    "USE_CASE_NAME",
)


def caller_settings(environment: Mapping[str, str] = os.environ, file: Path = Path(".env")) -> dict[str, str]:
    """Return the settings that a local mesh takes from the caller's environment or `.env`."""
    try:
        given = {**dotenv_values(file), **environment}
    except UnicodeDecodeError as error:
        raise Misconfigured(f"{file.absolute()} is not UTF-8 text: {error.reason} at byte {error.start}") from None
    settings = {name: value for name in _PASSED_ON if (value := given.get(name)) is not None}
    if settings.get("VT_API_URL") and not settings.get("VT_API_KEY"):
        raise Misconfigured("VT_API_URL is set and VT_API_KEY is not; set both, or neither to use the simulator")
    return settings


def local_stack(
    state: Path,
    settings: Mapping[str, str],
    *,
    simulator: SimulatorOptions,
    on_progress: Callable[[str], None],
    schedules: bool,
    fresh: bool,
    pubsub: PubSub,
) -> LocalMesh:
    """Return the mesh of the project's topology on this machine, provisioned when it is entered."""

    def provision(endpoints: Endpoints) -> None:
        provision_mesh(local_mesh(endpoints, settings.get("FEEDS")))

    return LocalMesh(
        state=state,
        topology=read_topology(profile="local"),
        settings={"LOG_FORMAT": "text", **settings},
        simulator=simulator,
        schedules=schedules,
        fresh=fresh,
        pubsub=pubsub,
        provision=provision,
        on_progress=on_progress,
    )


def _plan_once(endpoints: Endpoints, console: Console) -> None:
    # Before anybody can replay: minutes in the ledger and no planner's state mean a state lost, gone on from there.
    try:
        trigger(endpoints, "planner")
    except MeshError as error:
        console.print(f"  {error}; its schedule calls it again every minute")


def run_up(state: Path, *, lines: int, seed: int, pubsub: PubSub, console: Console) -> None:
    """Run the mesh until Ctrl-C; raise MeshError when a part ends by itself."""
    settings = caller_settings()
    stack = local_stack(
        state,
        settings,
        simulator=SimulatorOptions(seed=seed, lines=lines),
        on_progress=lambda text: console.print(f"  {text}"),
        schedules=True,
        fresh=False,
        pubsub=pubsub,
    )
    console.print(f"starting the mesh in {state}")
    with stack as mesh:
        _plan_once(mesh.endpoints, console)
        source = mesh.endpoints.virustotal or "https://www.virustotal.com/api/v3"
        console.print(f"running; packages come from {source}")
        console.print(f"status page: {mesh.endpoints.services['console']}")
        console.print(f"endpoints: {state / 'endpoints.json'}   logs: {state / 'logs'}   Ctrl-C stops it")
        mesh.wait()
    console.print("stopped; the state is kept")
