"""What a local mesh will consist of: its addresses and its parts, decided before anything starts."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.local import parts
from infra.local.endpoints import Endpoints
from infra.local.machine import PubSub, choose_pubsub
from infra.local.parts import SIMULATOR_KEY, SimulatorOptions
from infra.local.ports import HOST, free_ports
from infra.local.process import Part
from infra.local.state import StateFolder
from infra.topology import Topology

PROJECT = "gti-mesh-local"
BUCKET = "gti-mesh-landing"
DATASET = "vt_feeds"
# The customer id of the simulated SecOps, and the service that makes it worth starting.
CUSTOMER = "00000000-0000-4000-8000-000000000000"
_FORWARDER = "secops-import"


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
    pubsub_control: int
    storage: int
    bigquery: int
    bigquery_grpc: int
    virustotal: int
    downloads: int
    secops: int
    services: Mapping[str, int]


def plan_mesh(
    state: StateFolder,
    topology: Topology,
    settings: Mapping[str, str],
    *,
    simulator: SimulatorOptions | None,
    schedules: bool,
    pubsub: PubSub | None = None,
) -> Plan:
    """Choose ports and return the plan; raise Misconfigured when this machine lacks something.

    With VT_API_KEY or VT_API_URL among the settings that server is read, and there is no simulator of VirusTotal; with
    SECOPS_API_URL there is none of SecOps.
    """
    real_source = bool(settings.get("VT_API_KEY") or settings.get("VT_API_URL"))
    simulator = None if real_source else simulator
    ports = _choose_ports(topology)
    embedded = choose_pubsub(pubsub, os.environ) == PubSub.EMBEDDED
    endpoints = _endpoints(ports, topology, settings, simulated=simulator is not None, embedded=embedded)
    clean = parts.clean_environment(state, os.environ, outward=real_source)
    key = {"VT_API_KEY": SIMULATOR_KEY} if simulator else {}
    serving = {**clean, **key, "CHRONICLE_CUSTOMER_ID": CUSTOMER, **settings, **endpoints.environment()}
    first = (
        *_emulators(ports, state, clean, embedded=embedded),
        *_simulators(ports, state, endpoints, simulator, clean),
        *_services(ports, topology, serving),
    )
    scheduler = parts.scheduler(topology.schedules, endpoints.services, clean) if schedules else None
    return Plan(endpoints, first, scheduler)


def _choose_ports(topology: Topology) -> _Ports:
    pubsub, control, storage, rest, grpc, api, downloads, secops, *others = free_ports(8 + len(topology.services))
    services = dict(zip(topology.services, others, strict=True))
    return _Ports(pubsub, control, storage, rest, grpc, api, downloads, secops, services)


def _endpoints(
    ports: _Ports, topology: Topology, settings: Mapping[str, str], *, simulated: bool, embedded: bool
) -> Endpoints:
    simulator = f"http://{HOST}:{ports.virustotal}"
    secops = f"http://{HOST}:{ports.secops}" if _FORWARDER in topology.services else None
    return Endpoints(
        project=PROJECT,
        bucket=settings.get("LANDING_BUCKET", BUCKET),
        dataset=settings.get("BQ_DATASET", DATASET),
        pubsub=f"{HOST}:{ports.pubsub}",
        pubsub_control=f"http://{HOST}:{ports.pubsub_control}" if embedded else None,
        storage=f"http://{HOST}:{ports.storage}",
        bigquery=f"http://{HOST}:{ports.bigquery}",
        virustotal=f"{simulator}/api/v3" if simulated else settings.get("VT_API_URL"),
        virustotal_control=simulator if simulated else None,
        secops=settings.get("SECOPS_API_URL", secops),
        feeds=settings.get("FEEDS"),
        services={name: f"http://{HOST}:{port}" for name, port in ports.services.items()},
    )


def _emulators(ports: _Ports, state: StateFolder, environment: Mapping[str, str], *, embedded: bool) -> Iterator[Part]:
    if embedded:
        yield parts.embedded_pubsub(ports.pubsub, ports.pubsub_control, state, environment)
    else:
        yield parts.official_pubsub(ports.pubsub, environment)
    yield parts.storage(ports.storage, state, environment)
    yield parts.bigquery(ports.bigquery, ports.bigquery_grpc, state, {**environment, "GCP_PROJECT": PROJECT})


def _simulators(
    ports: _Ports,
    state: StateFolder,
    endpoints: Endpoints,
    options: SimulatorOptions | None,
    environment: Mapping[str, str],
) -> Iterator[Part]:
    if options:
        yield parts.simulator(ports.virustotal, ports.downloads, options, environment)
    if endpoints.secops == f"http://{HOST}:{ports.secops}":
        yield parts.secops(ports.secops, state, environment)


def _services(ports: _Ports, topology: Topology, environment: Mapping[str, str]) -> Iterator[Part]:
    for name, declared in topology.services.items():
        yield parts.service(name, declared, ports.services[name], environment)
