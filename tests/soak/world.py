"""The mesh of a soak: real processes, the services with fault points, and some of them twice."""

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

import requests

from infra.local.endpoints import Endpoints
from infra.local.machine import PubSub
from infra.local.mesh import LocalMesh
from infra.local.parts import SimulatorOptions
from infra.local.secops.client import SecOpsControl
from infra.local.state import StateFolder
from infra.local.virustotal.client import SimulatorControl
from infra.local.virustotal.feeds import FEEDS
from infra.local.virustotal.streams.client import ListsControl
from infra.topology import Topology, read_topology
from services.console.mesh import Mesh, local_mesh
from services.console.provision import provision_mesh
from shared.minutes import AVAILABILITY, GRACE, ONE_MINUTE, last_due
from shared.secops.delivery import LEASE
from tests.pubsub_control import PubSubControl
from tests.soak.plan import Oddity, plan_oddities
from tests.soak.points import VARIABLE, MovedClock, Points, clock

REPOSITORY = Path(__file__).parents[2]
TWINS = {"planner-2": "planner", "merger-2": "merger", "secops-poll-2": "secops-poll"}
_SERVICES = Path(__file__).parent / "services"
# The last minute of a soak is this much older than the newest one due, so that a clock that jumps ahead finds packages.
_SPARE = timedelta(minutes=90)
_CALL_SECONDS = 120.0


@dataclass(frozen=True)
class Size:
    """How much a soak has to carry: minutes of each feed, lines of each package, seconds between notifications.

    With twins there are two of every scheduled service.
    """

    minutes: int
    feeds: tuple[str, ...] = FEEDS
    twins: bool = True
    lines: int = 5
    notification_seconds: int = 5


def soak_topology(*, twins: bool = True) -> Topology:
    """Return the declared topology, every service with fault points, and the scheduled ones twice."""
    data = read_topology("local").model_dump(exclude_none=True)
    # Nobody looks at the status page here.
    del data["services"]["console"]
    for service in data["services"].values():
        folder = Path(service["source"]).parent.name
        service["source"] = str(_SERVICES / f"{folder}.py")
    for twin, name in TWINS.items() if twins else ():
        data["services"][twin] = data["services"][name]
    return Topology.model_validate(data)


@dataclass
class World:
    """A running mesh, its controls, and what is wrong with its source for good."""

    mesh: LocalMesh
    folder: Path
    first: datetime
    size: Size
    seed: int
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    # When the last poll that counts began: what the source shows later is nobody's yet.
    polled: datetime = field(default_factory=lambda: datetime.now(UTC))
    answers: Counter[str] = field(default_factory=Counter)
    _leases_moved: timedelta = timedelta()

    @property
    def endpoints(self) -> Endpoints:
        """Where everything is."""
        return self.mesh.endpoints

    @property
    def state(self) -> StateFolder:
        """Where everything lies."""
        return StateFolder(self.folder / "state")

    @property
    def points(self) -> Path:
        """Where fault points are armed, and clocks are moved."""
        return self.folder / "points"

    @property
    def last(self) -> datetime:
        """The last minute of each feed."""
        return self.first + (self.size.minutes - 1) * ONE_MINUTE

    @property
    def planner_clock(self) -> MovedClock:
        """The clock of both planners."""
        return clock(self.points, "planner")

    @property
    def poller_clock(self) -> MovedClock:
        """The clock of both polls."""
        return clock(self.points, "secops-poll")

    @property
    def importer_clock(self) -> MovedClock:
        """The clock of the importer's leases."""
        return clock(self.points, "secops-import")

    @cached_property
    def source(self) -> SimulatorControl:
        """The control of the VirusTotal simulator."""
        return SimulatorControl(str(self.endpoints.virustotal_control))

    @cached_property
    def lists(self) -> ListsControl:
        """The control of its streams."""
        return ListsControl(str(self.endpoints.virustotal_control))

    @cached_property
    def secops(self) -> SecOpsControl:
        """The control of the SecOps simulator."""
        return SecOpsControl(str(self.endpoints.secops))

    @cached_property
    def pubsub(self) -> PubSubControl | None:
        """The control of the embedded Pub/Sub; the official emulator has none."""
        control = self.endpoints.pubsub_control
        return PubSubControl(control) if control else None

    @cached_property
    def console(self) -> Mesh:
        """The mesh as an operator sees it."""
        return local_mesh(self.endpoints)

    @cached_property
    def oddities(self) -> list[Oddity]:
        """The packages with a fault of their own."""
        minutes = [self.first + number * ONE_MINUTE for number in range(self.size.minutes)]
        return plan_oddities(self.seed, self.size.feeds, minutes, datetime.now(UTC))

    def spoil_source(self, *storm: Mapping[str, object]) -> None:
        """Put the packages' own faults in force, and a storm over all of them."""
        self.source.set_faults(*storm, *(oddity.rule() for oddity in self.oddities))

    def points_of(self, service: str) -> Points:
        """Return a service's fault points."""
        return Points(self.points, service)

    def show_planners(self, due: datetime, *, moved: float = 0.0) -> None:
        """Move the planners' clock to where this minute is the last one due, and then by so many seconds."""
        # In the middle of its minute, so that a minute that ends meanwhile changes nothing.
        shown = due + AVAILABILITY + GRACE + ONE_MINUTE / 2
        self.planner_clock.move((shown - datetime.now(UTC)).total_seconds() + moved)

    def let_leases_end(self) -> None:
        """Move the importer's clock behind the end of every lease; only while no importer runs."""
        self._leases_moved += LEASE
        self.importer_clock.move(self._leases_moved.total_seconds())

    def call(self, service: str, path: str = "/") -> int:
        """Call a service as its schedule would; return the status, 0 for none."""
        status = 0
        with suppress(requests.RequestException):
            url = self.endpoints.services[service] + path
            status = requests.post(url, json={}, timeout=_CALL_SECONDS).status_code
        self.answers[f"{service}{path} {status}"] += 1
        return status

    def call_beside(self, *services: str, path: str = "/") -> None:
        """Call services at once and wait for none of them."""
        for service in filter(self.endpoints.services.__contains__, services):
            threading.Thread(target=self.call, args=(service, path), daemon=True).start()


def _provision(endpoints: Endpoints, feeds: str) -> None:
    provision_mesh(local_mesh(endpoints, feeds))


def build_world(folder: Path, *, seed: int, size: Size, pubsub: PubSub) -> World:
    """Return a world whose mesh has still to be entered; its minutes end an hour and a half before now."""
    points = folder / "points"
    points.mkdir(parents=True, exist_ok=True)
    feeds = ",".join(size.feeds)
    first = last_due(datetime.now(UTC)) - _SPARE - size.minutes * ONE_MINUTE
    mesh = LocalMesh(
        state=folder / "state",
        topology=soak_topology(twins=size.twins),
        settings={
            "FEEDS": feeds,
            "LOG_FORMAT": "json",
            "PLAN_BACK": "1",
            "STREAMS": "ioc_stream",
            "VT_DATE_FILTER": "-20m",
            "VT_LIMIT": "10",
            "SECOPS_MAX_REQUEST_LOGS": "5",
            # The services of a soak lie among the tests.
            "PYTHONPATH": str(REPOSITORY),
            VARIABLE: str(points),
        },
        simulator=SimulatorOptions(seed=seed, lines=size.lines, notification_seconds=size.notification_seconds),
        schedules=False,
        pubsub=pubsub,
        fresh=True,
        provision=partial(_provision, feeds=feeds),
    )
    return World(mesh, folder, first, size, seed)
