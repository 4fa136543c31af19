"""The mesh of a soak: real processes, the services with fault points, and some of them twice."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path

import requests

from infra.endpoints import Endpoints
from infra.find_mesh import local_mesh
from infra.local.job_faults import JobFaults
from infra.local.mesh import LocalMesh
from infra.local.prerequisites import PubSub
from infra.local.process_specs import SimulatorOptions
from infra.local.secops.client import SecOpsControl
from infra.local.secops.log_types import local_log_type
from infra.local.state import StateFolder
from infra.local.virustotal.client import SimulatorControl
from infra.local.virustotal.feeds import FEEDS
from infra.local.virustotal.streams.client import ListsControl
from infra.local.virustotal.threat_lists.client import ThreatListsControl
from infra.local.virustotal.threat_lists.content import LISTS
from infra.topology import Topology, read_topology
from shared.contracts.minutes import AVAILABILITY, GRACE, ONE_HOUR, ONE_MINUTE, format_minute, last_due
from shared.feeds.definition import THREAT_LISTS, period_of
from shared.operations.mesh import Mesh
from shared.operations.provision import provision_mesh
from shared.streams.definition import Stream, find_stream
from shared.streams.delivery_progress import LEASE
from shared.streams.forwarded import FORWARDED_FEEDS
from tests.soak.plan import LISTS_STORMS, ListOddity, Oddity, Past, plan_list_oddities, plan_oddities
from tests.soak.points import VARIABLE, MovedClock, Points, clock
from tests.soak.updates import CHANGING, Versions
from tests.support.paths import REPOSITORY
from tests.support.pubsub_control import PubSubControl

MAIN_STREAM = "ioc_stream"
# Those to whose lists the soak can add items of an earlier hour.
TO_BIGQUERY = (MAIN_STREAM, "dtm_alerts")
_STREAM_HOURS = 3
TWINS = {"planner-2": "planner", "merger-2": "merger", "secops-poll-2": "secops-poll"}
_SERVICES = Path(__file__).parent / "services"
# The last minute of a soak is this much older than the newest one due, so that a clock that jumps ahead finds packages.
_SPARE = timedelta(minutes=90)
_CALL_SECONDS = 120.0
ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Size:
    """The load of a soak: minutes of each feed, lines of each package, seconds between notifications.

    Of threat lists so many past hours are replayed, besides those that become due, and of the streams that go into
    BigQuery a few. Alerts, issues and collections change `pace` times as fast as real ones. With twins there are two
    instances of every scheduled service.
    """

    minutes: int
    feeds: tuple[str, ...] = (*FEEDS, THREAT_LISTS)
    streams: tuple[str, ...] = (MAIN_STREAM, *CHANGING)
    to_bigquery: tuple[str, ...] = TO_BIGQUERY
    past_hours: int = 0
    twins: bool = True
    lines: int = 5
    notification_seconds: int = 5
    pace: float = 100.0


def soak_topology(*, twins: bool = True) -> Topology:
    """Return the declared topology, every service with fault points, and the scheduled ones twice."""
    data = read_topology("local").model_dump(exclude_none=True)
    # Nobody looks at the status page here.
    del data["services"]["status-page"]
    for service in data["services"].values():
        folder = Path(service["source"]).parent.name
        service["source"] = str(_SERVICES / f"{folder}.py")
    for twin, name in TWINS.items() if twins else ():
        data["services"][twin] = data["services"][name]
    return Topology.model_validate(data)


@dataclass
class SoakMesh:
    """A running mesh, its controls, and the lasting faults of its source."""

    mesh: LocalMesh
    folder: Path
    first: datetime
    size: Size
    seed: int
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    # When the last counted poll began: items that the source shows later are not expected yet.
    polled: datetime = field(default_factory=lambda: datetime.now(UTC))
    # The versions that the source had then, by stream.
    shown: dict[str, Versions] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    # The past hours whose replay was accepted.
    replayed: set[Past] = field(default_factory=set)
    # The items that the source had in the past hours of each stream.
    served: dict[str, set[str]] = field(default_factory=dict)
    # A ledger from yesterday has no rows of today's dead letters, and nothing but the operator closes those.
    ledger_restored: bool = False
    _callers: list[threading.Thread] = field(default_factory=list)
    _leases_moved: timedelta = timedelta()
    _polls_moved: timedelta = timedelta()

    @property
    def endpoints(self) -> Endpoints:
        """The addresses of the mesh."""
        return self.mesh.endpoints

    @property
    def state(self) -> StateFolder:
        """The state folder."""
        return StateFolder(self.folder / "state")

    @property
    def points(self) -> Path:
        """The folder that arms fault points and shifts clocks."""
        return self.folder / "points"

    @property
    def last(self) -> datetime:
        """The last minute of each feed."""
        return self.first + (self.size.minutes - 1) * ONE_MINUTE

    def span(self, feed: str) -> tuple[datetime, datetime]:
        """Return the first and the last minute of a feed that the soak asks for, or hour."""
        past = self.hours_before(feed)
        return past[-1] if past else self.planned(feed, self.first), self.planned(feed, self.last)

    def planned(self, feed: str, due: datetime) -> datetime:
        """Return the newest minute of a feed, or hour, that is planned when `due` is the last due minute."""
        return period_of(feed).last_due(_shown(due))

    @property
    def feeds(self) -> tuple[str, ...]:
        """All feeds: those of packages, threat lists, and the streams that go into BigQuery."""
        return (*self.size.feeds, *self.size.to_bigquery)

    @cached_property
    def past_hours(self) -> list[Past]:
        """The hours of threat lists and streams that are replayed, of each the newest first."""
        return [Past(feed, hour) for feed in self.feeds[::-1] for hour in self.hours_before(feed)]

    def hours_before(self, feed: str) -> list[datetime]:
        """Return the hours of a feed before the one that the planner begins with, the newest first."""
        hours = 0 if feed in FEEDS else self.size.past_hours if feed == THREAT_LISTS else _STREAM_HOURS
        newest = self.planned(feed, self.first)
        return [newest - (number + 1) * ONE_HOUR for number in range(hours)]

    @property
    def streams(self) -> list[Stream]:
        """The streams, with their log types."""
        return [find_stream(name).model_copy(update={"log_type": local_log_type(name)}) for name in self.size.streams]

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
    def threat_lists(self) -> ThreatListsControl:
        """The control of its threat lists."""
        return ThreatListsControl(str(self.endpoints.virustotal_control))

    @cached_property
    def secops(self) -> SecOpsControl:
        """The control of the SecOps simulator."""
        return SecOpsControl(str(self.endpoints.secops))

    @cached_property
    def load_jobs(self) -> JobFaults:
        """The control of BigQuery's load jobs."""
        return JobFaults(str(self.endpoints.bigquery))

    @cached_property
    def pubsub(self) -> PubSubControl | None:
        """The control of the embedded Pub/Sub; the official emulator has none."""
        control = self.endpoints.pubsub_control
        return PubSubControl(control) if control else None

    @cached_property
    def mesh_view(self) -> Mesh:
        """The mesh as an operator sees it."""
        return local_mesh(self.endpoints)

    @cached_property
    def oddities(self) -> list[Oddity]:
        """The packages with their own faults."""
        minutes = [self.first + number * ONE_MINUTE for number in range(self.size.minutes)]
        feeds = tuple(feed for feed in self.size.feeds if feed in FEEDS)
        return plan_oddities(self.seed, feeds, minutes, datetime.now(UTC))

    @cached_property
    def list_oddities(self) -> list[ListOddity]:
        """The faults of threat lists, the newest hour first."""
        if THREAT_LISTS not in self.size.feeds:
            return []
        first, last = self.span(THREAT_LISTS)
        hours = [*period_of(THREAT_LISTS).between(first, last)]
        return plan_list_oddities(self.seed, tuple(LISTS), hours[::-1], datetime.now(UTC))

    def spoil_source(self, *storm: Mapping[str, object]) -> None:
        """Set the packages' and the lists' own faults, and a general series of errors in addition."""
        self.source.set_faults(*storm, *(oddity.rule() for oddity in self.oddities))
        of_lists = [fault for fault in storm if fault["kind"] in LISTS_STORMS]
        self.threat_lists.set_faults(*of_lists, *(oddity.rule() for oddity in self.list_oddities))
        self.lists.set_settings(trailing_link=True)

    def points_of(self, service: str) -> Points:
        """Return a service's fault points."""
        return Points(self.points, service)

    def show_planners(self, due: datetime, *, moved: float = 0.0) -> None:
        """Move the planners' clock to where this minute is the last due one, plus a number of seconds."""
        self.planner_clock.move((_shown(due) - datetime.now(UTC)).total_seconds() + moved)

    def let_leases_end(self) -> None:
        """Move the importer's clock beyond the end of every lease; only while no importer runs."""
        self._leases_moved += LEASE
        self.importer_clock.move(self._leases_moved.total_seconds())

    def let_polls_wait(self, wait: timedelta) -> None:
        """Move the polls' clock ahead, beyond the end of a pause or to the next day's sweep."""
        self._polls_moved += wait
        self.poller_clock.move(self._polls_moved.total_seconds())

    def poll_and_count(self) -> None:
        """Poll a day later by the polls' clock, so that everything is read that the source shows now."""
        self.let_polls_wait(ONE_DAY)
        self.polled = datetime.now(UTC)
        self.shown = {name: one.shown(self.lists) for name, one in CHANGING.items() if name in self.size.streams}
        self.call("secops-poll")

    def replay(self, past: Past, *, force: bool = False) -> None:
        """Request an hour as an operator does."""
        written = format_minute(past.hour)
        body = {"feed": past.feed, "first": written, "last": written, "force": force}
        if self.call("planner", "/replay", body) == 200:
            self.replayed.add(past)

    def call(self, service: str, path: str = "/", body: Mapping[str, object] | None = None) -> int:
        """Call a service as its schedule does; return the status, or 0 without a response."""
        status = 0
        with suppress(requests.RequestException):
            url = self.endpoints.services[service] + path
            status = requests.post(url, json=body or {}, timeout=_CALL_SECONDS).status_code
        self.answers[f"{service}{path} {status}"] += 1
        return status

    def call_beside(self, *services: str, path: str = "/") -> None:
        """Call services concurrently, without waiting for them."""
        for service in filter(self.endpoints.services.__contains__, services):
            self._beside(partial(self.call, service, path))

    def replay_beside(self, past: Past, *, force: bool) -> None:
        """Request an hour, without waiting for the answer."""
        self._beside(partial(self.replay, past, force=force))

    def await_answers(self) -> None:
        """Wait for the end of every call that runs beside."""
        for caller in self._callers:
            caller.join(_CALL_SECONDS)
        self._callers.clear()

    def _beside(self, call: Callable[[], object]) -> None:
        caller = threading.Thread(target=call, daemon=True)
        caller.start()
        self._callers = [*filter(threading.Thread.is_alive, self._callers), caller]


def _shown(due: datetime) -> datetime:
    # In the middle of its minute, so that a minute that ends meanwhile changes nothing.
    return due + AVAILABILITY + GRACE + ONE_MINUTE / 2


def _provision(endpoints: Endpoints, feeds: str) -> None:
    provision_mesh(local_mesh(endpoints, feeds))


def build_soak_mesh(folder: Path, *, seed: int, size: Size, pubsub: PubSub) -> SoakMesh:
    """Return a world whose mesh is not started yet; its minutes end an hour and a half before now."""
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
            "STREAMS": ",".join(size.streams),
            "STREAMS_TO_BIGQUERY": ",".join(size.to_bigquery),
            "SECOPS_FEEDS": ",".join(feed for feed in size.feeds if feed in FORWARDED_FEEDS),
            "VT_DATE_FILTER": "-20m",
            "VT_LIMIT": "10",
            "SECOPS_MAX_REQUEST_LOGS": "5",
            # Every run of the merger folds what it has merged, unless that is little beside base.
            "FOLD_MIN_ROWS": "1",
            "FOLD_KEEP_HOURS": "0",
            # The services of a soak lie among the tests.
            "PYTHONPATH": str(REPOSITORY),
            VARIABLE: str(points),
        },
        simulator=SimulatorOptions(
            seed=seed,
            lines=size.lines,
            notification_seconds=size.notification_seconds,
            pace=size.pace,
            since=datetime.now(UTC).timestamp(),
        ),
        schedules=False,
        pubsub=pubsub,
        fresh=True,
        provision=partial(_provision, feeds=feeds),
    )
    return SoakMesh(mesh, folder, first, size, seed)
