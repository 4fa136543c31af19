"""The mesh on one machine, as a context manager that starts and stops it."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.endpoints import Endpoints
from infra.local.contents import Contents
from infra.local.orphan_reaper import OrphanReaper
from infra.local.prerequisites import PubSub, require_local_extra
from infra.local.process_specs import SimulatorOptions
from infra.local.process_supervisor import ProcessSupervisor
from infra.local.signals import ended_like_interrupted, uninterrupted
from infra.local.stack_plan import plan_mesh
from infra.local.state import StateFolder
from infra.local.storage import create_bucket
from infra.topology import Topology

_WATCH_SECONDS = 0.2
_EMULATORS = ("pubsub", "storage", "bigquery", "virustotal", "secops")


@dataclass(kw_only=True, eq=False)
class LocalMesh:
    """Emulators, simulator, services and scheduler, built from a topology; entering the context starts the mesh.

    `settings` are passed to the services; with VT_API_KEY or VT_API_URL there is no simulator. `provision` is called
    once storage and BigQuery are ready, and creates dataset and tables. Without `pubsub` the environment variable
    GTI_MESH_PUBSUB decides; the default is the embedded server. `contents` and ports are recorded in the state folder:
    a part gets its port from `ports`, otherwise that of the last run, otherwise a free one. `timings` are the seconds
    after which each part was ready.
    """

    state: Path
    topology: Topology
    settings: Mapping[str, str] = field(default_factory=dict)
    simulator: SimulatorOptions | None = None
    schedules: bool = True
    pubsub: PubSub | None = None
    fresh: bool = False
    contents: Contents | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    provision: Callable[[Endpoints], None] = lambda _: None
    on_progress: Callable[[str], None] = lambda _: None
    timings: dict[str, float] = field(default_factory=dict, init=False)

    def __enter__(self) -> Self:
        """Start everything and return once it is ready; on failure stop what was started."""
        require_local_extra()
        self._state = StateFolder(self.state.absolute())
        with ExitStack() as started:
            started.enter_context(self._state.claimed(fresh=self.fresh))
            if self.contents:
                self.contents.write(self._state.path)
            self._plan = plan_mesh(
                self._state,
                self.topology,
                self.settings,
                simulator=self.simulator,
                schedules=self.schedules,
                pubsub=self.pubsub,
                given_ports=self.ports,
            )
            # A port that is temporarily taken is tried again next time.
            self._state.write_ports({**self._plan.ports, **self._plan.wanted_ports})
            started.enter_context(ended_like_interrupted())
            reaper = OrphanReaper(self._state.endpoints)
            started.callback(reaper.close)
            self._running = ProcessSupervisor(self._state, reaper, self._note)
            started.callback(self._stop)
            self._start()
            self._left = started.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything, in the order scheduler, services, emulators."""
        self._left.close()

    @property
    def endpoints(self) -> Endpoints:
        """The addresses of the mesh."""
        return self._plan.endpoints

    @property
    def running_pubsub(self) -> PubSub:
        """Which Pub/Sub runs."""
        return self._plan.pubsub

    @property
    def pids(self) -> Mapping[str, int]:
        """The process of every running part; each leads its own process group."""
        return self._running.pids

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self._state.log(part)

    def check(self) -> None:
        """Raise ProcessFailed if a part has ended by itself."""
        self._running.check()

    def ended(self) -> list[str]:
        """Return the parts that have ended by themselves; call kill() and then start_part() to restart one."""
        return self._running.ended()

    def wait(self) -> None:
        """Return at SIGINT, SIGTERM or SIGHUP; raise ProcessFailed when a part ends by itself."""
        try:
            while True:
                self.check()
                time.sleep(_WATCH_SECONDS)
        except KeyboardInterrupt:
            return

    def stop_part(self, name: str) -> None:
        """Stop one part gracefully; the others keep running."""
        self._running.end([name])

    def kill(self, name: str) -> None:
        """Kill one part and its children; the others keep running."""
        self._running.kill(name)

    def start_part(self, name: str) -> None:
        """Start a stopped part again, at the same address, and wait until it is ready."""
        self._running.launch(self._plan.part(name))
        self._running.await_ready([name], alone=True)
        if name == "pubsub":
            self._create_topics()
            self._create_subscriptions()

    def _start(self) -> None:
        """Start all parts at once, then initialise them in order of dependency.

        A service makes no connection before its first request, so it can start in parallel with the emulators.
        """
        began = time.monotonic()
        plan, running = self._plan, self._running
        self.on_progress(f"Pub/Sub is {plan.pubsub.description}")
        for text in plan.moved():
            self.on_progress(text)
        for part in plan.first:
            running.launch(part)
        running.await_ready(["pubsub"])
        self._create_topics()
        running.await_ready(["storage"])
        create_bucket(self.endpoints)
        running.await_ready(["bigquery"])
        self.provision(plan.endpoints)
        running.await_ready(running.pids)
        self._create_subscriptions()
        if plan.scheduler:
            running.launch(plan.scheduler)
            running.await_ready([plan.scheduler.name])
        plan.endpoints.write(self._state.path)
        self._note("total", time.monotonic() - began)

    def _stop(self) -> None:
        with uninterrupted():
            self._state.endpoints.unlink(missing_ok=True)
            self._running.end(["scheduler"])
            self._running.end(self.endpoints.services)
            self._running.end(_EMULATORS)

    def _note(self, name: str, seconds: float) -> None:
        self.timings[name] = seconds
        self.on_progress(f"{name} ready after {seconds:.1f} s")

    # Importing Google's client takes a second, in parallel with the emulators' start.
    def _create_topics(self) -> None:
        from infra.local.pubsub import create_topics

        create_topics(self.topology, self.endpoints)

    def _create_subscriptions(self) -> None:
        from infra.local.pubsub import create_subscriptions

        create_subscriptions(self.topology, self.endpoints)
