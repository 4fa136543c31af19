"""The plan of a local mesh: its addresses and parts, decided before anything starts."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.endpoints import DEFAULT_STATE, Endpoints
from infra.local import process_specs
from infra.local.prerequisites import PubSub, choose_pubsub
from infra.local.process import ProcessSpec
from infra.local.process_specs import SIMULATOR_KEY, SimulatorOptions
from infra.local.secops.log_types import local_log_types
from infra.local.state import StateFolder
from infra.local.tcp_ports import HOST, choose_ports
from infra.topology import Topology

PROJECT = "gti-mesh-local"
BUCKET = "gti-mesh-landing"
DATASET = "vt_feeds"
# The customer id of the simulated SecOps, and the service that needs it.
CUSTOMER = "00000000-0000-4000-8000-000000000000"
_FORWARDER = "secops-import"
# What services and commands must agree on, besides addresses.
_FOR_COMMANDS = (
    *("STREAMS", "STREAMS_TO_SECOPS", "SECOPS_FEEDS", "CHRONICLE_LOG_TYPE_THREAT_LISTS"),
    *("THREAT_LISTS", "THREAT_LISTS_LAG_MINUTES", "ASM_PROJECTS"),
)
# Everything that listens, except services.
_PARTS = ("pubsub", "pubsub-control", "storage", "bigquery", "bigquery-grpc", "virustotal", "downloads", "secops")


@dataclass(frozen=True)
class StackPlan:
    """The parts that start first, the scheduler that starts last, and all addresses."""

    endpoints: Endpoints
    pubsub: PubSub
    first: tuple[ProcessSpec, ...]
    scheduler: ProcessSpec | None
    # By part: the ports wanted, and those chosen, which differ if another program uses one.
    wanted_ports: Mapping[str, int]
    ports: Mapping[str, int]

    def moved(self) -> list[str]:
        """Return a line for each part whose port is not the wanted one."""
        return [
            f"port {self.wanted_ports[name]} is taken or not allowed; {name} is on {port} this time"
            for name, port in self.ports.items()
            if self.wanted_ports.get(name, port) != port
        ]

    def part(self, name: str) -> ProcessSpec:
        """Return a part by name."""
        return next(part for part in (*self.first, self.scheduler) if part and part.name == name)


def plan_mesh(
    state: StateFolder,
    topology: Topology,
    settings: Mapping[str, str],
    *,
    simulator: SimulatorOptions | None,
    schedules: bool,
    pubsub: PubSub | None = None,
    given_ports: Mapping[str, int] | None = None,
) -> StackPlan:
    """Choose ports and return the plan; raise Misconfigured if a prerequisite is missing.

    With VT_API_KEY or VT_API_URL in the settings the VirusTotal simulator is left out, with SECOPS_API_URL the SecOps
    simulator. Parts get their ports from `given_ports`, otherwise those of the last run.
    """
    real_source = bool(settings.get("VT_API_KEY") or settings.get("VT_API_URL"))
    simulator = None if real_source else simulator
    wanted = _wanted_ports(state.read_ports(), given_ports or {})
    ports = choose_ports((*_PARTS, *topology.services), wanted)
    chosen = choose_pubsub(pubsub, os.environ)
    embedded = chosen == PubSub.EMBEDDED
    endpoints = _endpoints(ports, topology, settings, simulated=simulator is not None, embedded=embedded)
    clean = process_specs.clean_environment(state, os.environ, outward=real_source)
    key = {"VT_API_KEY": SIMULATOR_KEY} if simulator else {}
    # Commands on the status page name the folder, unless commands find it by themselves.
    found_anyway = state.path.absolute() == DEFAULT_STATE.absolute()
    folder = {} if found_anyway else {"GTI_MESH_STATE": str(state.path.absolute())}
    serving = {**clean, **key, **folder, "CHRONICLE_CUSTOMER_ID": CUSTOMER, **settings, **endpoints.environment()}
    first = (
        *_emulators(ports, state, clean, embedded=embedded),
        *_simulators(ports, state, endpoints, simulator, clean),
        *_services(ports, topology, serving),
    )
    scheduler = process_specs.scheduler(topology.schedules, endpoints.services, clean) if schedules else None
    return StackPlan(endpoints, chosen, first, scheduler, wanted, ports)


def _wanted_ports(last: Mapping[str, int], given: Mapping[str, int]) -> dict[str, int]:
    return {**{name: port for name, port in last.items() if port not in given.values()}, **given}


def _endpoints(
    ports: Mapping[str, int], topology: Topology, settings: Mapping[str, str], *, simulated: bool, embedded: bool
) -> Endpoints:
    simulator = f"http://{HOST}:{ports['virustotal']}"
    secops = f"http://{HOST}:{ports['secops']}" if _FORWARDER in topology.services else None
    return Endpoints(
        project=PROJECT,
        bucket=settings.get("LANDING_BUCKET", BUCKET),
        dataset=settings.get("BQ_DATASET", DATASET),
        pubsub=f"{HOST}:{ports['pubsub']}",
        pubsub_control=f"http://{HOST}:{ports['pubsub-control']}" if embedded else None,
        storage=f"http://{HOST}:{ports['storage']}",
        bigquery=f"http://{HOST}:{ports['bigquery']}",
        virustotal=f"{simulator}/api/v3" if simulated else settings.get("VT_API_URL"),
        virustotal_control=simulator if simulated else None,
        secops=settings.get("SECOPS_API_URL", secops),
        log_types=_log_types(settings) if secops and "SECOPS_API_URL" not in settings else {},
        feeds=settings.get("FEEDS"),
        streams=_streams(settings),
        services={name: f"http://{HOST}:{ports[name]}" for name in topology.services},
    )


def _streams(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the settings of streams and lists that commands need: which there are, and where they go."""
    chosen = {name: settings[name] for name in _FOR_COMMANDS if name in settings}
    return {**chosen, "STREAMS_TO_BIGQUERY": settings.get("STREAMS_TO_BIGQUERY", "")}


def _log_types(settings: Mapping[str, str]) -> dict[str, str]:
    return {name: settings.get(name, log_type) for name, log_type in local_log_types().items()}


def _emulators(
    ports: Mapping[str, int], state: StateFolder, environment: Mapping[str, str], *, embedded: bool
) -> Iterator[ProcessSpec]:
    if embedded:
        yield process_specs.embedded_pubsub(ports["pubsub"], ports["pubsub-control"], state, environment)
    else:
        yield process_specs.official_pubsub(ports["pubsub"], environment)
    yield process_specs.storage(ports["storage"], state, environment)
    yield process_specs.bigquery(
        ports["bigquery"], ports["bigquery-grpc"], state, {**environment, "GCP_PROJECT": PROJECT}
    )


def _simulators(
    ports: Mapping[str, int],
    state: StateFolder,
    endpoints: Endpoints,
    options: SimulatorOptions | None,
    environment: Mapping[str, str],
) -> Iterator[ProcessSpec]:
    if options:
        yield process_specs.simulator(ports["virustotal"], ports["downloads"], options, environment)
    if endpoints.secops == f"http://{HOST}:{ports['secops']}":
        yield process_specs.secops(ports["secops"], state, environment)


def _services(ports: Mapping[str, int], topology: Topology, environment: Mapping[str, str]) -> Iterator[ProcessSpec]:
    attempts = {
        one.push.service: {"MAX_DELIVERY_ATTEMPTS": str(one.dead_letter.max_attempts)}
        for one in topology.subscriptions.values()
        if one.push and one.dead_letter
    }
    for name, declared in topology.services.items():
        yield process_specs.service(name, declared, ports[name], {**environment, **attempts.get(name, {})})
