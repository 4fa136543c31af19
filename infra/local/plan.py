"""What a local mesh will consist of: its addresses and its parts, decided before anything starts."""

import os
from collections.abc import Iterator, Mapping
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


@dataclass(frozen=True)
class _Ports:
    pubsub: int
    storage: int
    bigquery: int
    bigquery_grpc: int
    virustotal: int
    downloads: int
    services: Mapping[str, int]


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
    simulator = None if real_source else simulator
    ports = _choose_ports(topology)
    endpoints = _endpoints(ports, settings, simulated=simulator is not None)
    clean = parts.clean_environment(state, os.environ, outward=real_source)
    key = {"VT_API_KEY": SIMULATOR_KEY} if simulator else {}
    serving = {**clean, **key, **settings, **endpoints.environment()}
    first = (*_emulators(ports, state, clean, simulator), *_services(ports, topology, serving))
    scheduler = parts.scheduler(topology.schedules, endpoints.services, clean) if schedules else None
    return Plan(endpoints, first, scheduler)


def _choose_ports(topology: Topology) -> _Ports:
    pubsub, storage, rest, grpc, api, downloads, *others = free_ports(6 + len(topology.services))
    return _Ports(pubsub, storage, rest, grpc, api, downloads, dict(zip(topology.services, others, strict=True)))


def _endpoints(ports: _Ports, settings: Mapping[str, str], *, simulated: bool) -> Endpoints:
    simulator = f"http://{HOST}:{ports.virustotal}"
    return Endpoints(
        project=PROJECT,
        bucket=settings.get("LANDING_BUCKET", BUCKET),
        dataset=settings.get("BQ_DATASET", DATASET),
        pubsub=f"{HOST}:{ports.pubsub}",
        storage=f"http://{HOST}:{ports.storage}",
        bigquery=f"http://{HOST}:{ports.bigquery}",
        virustotal=f"{simulator}/api/v3" if simulated else settings.get("VT_API_URL"),
        virustotal_control=simulator if simulated else None,
        services={name: f"http://{HOST}:{port}" for name, port in ports.services.items()},
    )


def _emulators(
    ports: _Ports, state: StateFolder, environment: Mapping[str, str], simulator: SimulatorOptions | None
) -> Iterator[Part]:
    yield parts.pubsub(ports.pubsub, environment)
    yield parts.storage(ports.storage, state, environment)
    yield parts.bigquery(ports.bigquery, ports.bigquery_grpc, state, {**environment, "GCP_PROJECT": PROJECT})
    if simulator:
        yield parts.simulator(ports.virustotal, ports.downloads, simulator, environment)


def _services(ports: _Ports, topology: Topology, environment: Mapping[str, str]) -> Iterator[Part]:
    for name, declared in topology.services.items():
        yield parts.service(name, declared, ports.services[name], environment)
