"""What a local mesh will consist of: its addresses and its parts, decided before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from infra.local import parts
from infra.local.endpoints import Endpoints
from infra.local.parts import SIMULATOR_KEY, SimulatorOptions
from infra.local.ports import HOST, free_ports
from infra.local.process import Part
from infra.local.state import StateFolder
from infra.topology import Topology

PROJECT = "gti-mesh-local"
BUCKET = "gti-mesh-landing"
DATASET = "vt_feeds"


@dataclass(frozen=True)
class Plan:
    """The parts that start first, the scheduler that starts last, and where everything will be."""

    endpoints: Endpoints
    first: tuple[Part, ...]
    scheduler: Part | None

    def part(self, name: str) -> Part:
        """Return a part by name."""
        return next(part for part in (*self.first, self.scheduler) if part and part.name == name)


def plan_mesh(
    state: StateFolder,
    topology: Topology,
    settings: Mapping[str, str],
    *,
    simulator: SimulatorOptions | None,
    schedules: bool,
) -> Plan:
    """Choose ports and return the plan; raise Misconfigured when this machine lacks something.

    With VT_API_KEY or VT_API_URL among the settings that server is read, and there is no simulator.
    """
    real_source = bool(settings.get("VT_API_KEY") or settings.get("VT_API_URL"))
    clean = parts.clean_environment(state, os.environ, outward=real_source)
    pubsub, storage, rest, grpc, api, downloads, *services = free_ports(6 + len(topology.services))
    simulated = simulator is not None and not real_source
    endpoints = Endpoints(
        project=PROJECT,
        bucket=settings.get("LANDING_BUCKET", BUCKET),
        dataset=settings.get("BQ_DATASET", DATASET),
        pubsub=f"{HOST}:{pubsub}",
        storage=f"http://{HOST}:{storage}",
        bigquery=f"http://{HOST}:{rest}",
        virustotal=f"http://{HOST}:{api}/api/v3" if simulated else settings.get("VT_API_URL"),
        virustotal_control=f"http://{HOST}:{api}" if simulated else None,
        services={name: f"http://{HOST}:{port}" for name, port in zip(topology.services, services, strict=True)},
    )
    key = {"VT_API_KEY": SIMULATOR_KEY} if simulated else {}
    serving = {**clean, **key, **settings, **endpoints.environment()}
    first = [
        parts.pubsub(pubsub, clean),
        parts.storage(storage, state, clean),
        parts.bigquery(rest, grpc, state, {**clean, "GCP_PROJECT": PROJECT}),
    ]
    if simulator is not None and simulated:
        first.append(parts.simulator(api, downloads, simulator, clean))
    for (name, declared), port in zip(topology.services.items(), services, strict=True):
        first.append(parts.service(name, declared, port, serving))
    scheduler = parts.scheduler(topology.schedules, endpoints.services, clean) if schedules else None
    return Plan(endpoints, tuple(first), scheduler)
