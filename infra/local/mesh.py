"""The mesh on one machine, as a context manager: entered, it runs; left, nothing of it is left."""

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.local.endpoints import Endpoints
from infra.local.machine import PubSub, require_local_extra
from infra.local.parts import SimulatorOptions
from infra.local.plan import plan_mesh
from infra.local.reaper import Reaper
from infra.local.running import Running
from infra.local.signals import ended_like_interrupted, uninterrupted
from infra.local.state import StateFolder
from infra.topology import Topology

_WATCH_SECONDS = 0.2
_EMULATORS = ("pubsub", "storage", "bigquery", "virustotal", "secops")


class LocalMesh:
    """Emulators, simulator, services and scheduler, built from a topology into a state folder."""

    def __init__(
        self,
        *,
        state: Path,
        topology: Topology,
        settings: Mapping[str, str] | None = None,
        simulator: SimulatorOptions | None = None,
        schedules: bool = True,
        pubsub: PubSub | None = None,
        fresh: bool = False,
        provision: Callable[[Endpoints], None] | None = None,
        on_progress: Callable[[str], None] | None = None,
    ) -> None:
        """Keep what to start; entering the context starts it.

        `settings` go to the services; with VT_API_KEY or VT_API_URL among them there is no simulator. `provision` is
        called once storage and BigQuery answer, and makes dataset and tables. Without `pubsub` the environment variable
        GTI_MESH_PUBSUB decides, and without that what is installed.
        """
        self.timings: dict[str, float] = {}
        self._state = StateFolder(state.absolute())
        self._topology = topology
        self._settings = settings or {}
        self._simulator = simulator
        self._schedules = schedules
        self._pubsub = pubsub
        self._fresh = fresh
        self._provision = provision
        self._on_progress = on_progress

    def __enter__(self) -> Self:
        """Start everything and return when it is ready; on failure stop what was started."""
        require_local_extra()
        with ExitStack() as started:
            started.enter_context(self._state.claimed(fresh=self._fresh))
            self._plan = plan_mesh(
                self._state,
                self._topology,
                self._settings,
                simulator=self._simulator,
                schedules=self._schedules,
                pubsub=self._pubsub,
            )
            started.enter_context(ended_like_interrupted())
            reaper = Reaper(self._state.endpoints)
            started.callback(reaper.close)
            self._running = Running(self._state, reaper, self._note)
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
        """Where everything is."""
        return self._plan.endpoints

    @property
    def pids(self) -> Mapping[str, int]:
        """The process of every running part; each leads a process group of its own."""
        return self._running.pids

    def log(self, part: str) -> Path:
        """Return the log file of a part."""
        return self._state.log(part)

    def check(self) -> None:
        """Raise PartFailed when a part has ended by itself."""
        self._running.check()

    def ended(self) -> list[str]:
        """Return the parts that have ended by themselves; kill() clears them away, start_part() starts them again."""
        return self._running.ended()

    def wait(self) -> None:
        """Return at SIGINT, SIGTERM or SIGHUP; raise PartFailed when a part ends by itself."""
        try:
            while True:
                self.check()
                time.sleep(_WATCH_SECONDS)
        except KeyboardInterrupt:
            return

    def stop_part(self, name: str) -> None:
        """Stop one part in an orderly way; the mesh goes on without it."""
        self._running.end([name])

    def kill(self, name: str) -> None:
        """Kill one part and its children at once; the mesh goes on without it."""
        self._running.kill(name)

    def start_part(self, name: str) -> None:
        """Start a stopped part again, at the same address, and wait until it is ready."""
        self._running.launch(self._plan.part(name))
        self._running.await_ready([name], alone=True)
        if name == "pubsub":
            self._create_topics()
            self._create_subscriptions()

    def _start(self) -> None:
        """Start all parts at once, then go on in the order in which they need one another.

        A service connects to nothing before its first request, so it may start beside the emulators.
        """
        began = time.monotonic()
        plan, running = self._plan, self._running
        for part in plan.first:
            running.launch(part)
        running.await_ready(["pubsub"])
        self._create_topics()
        running.await_ready(["storage"])
        self._create_bucket()
        running.await_ready(["bigquery"])
        if self._provision:
            self._provision(plan.endpoints)
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
        if self._on_progress:
            self._on_progress(f"{name} ready after {seconds:.1f} s")

    # Google's clients take a second to import, which passes while the emulators start.
    def _create_topics(self) -> None:
        from infra.local.pubsub import create_topics

        create_topics(self._topology, self.endpoints)

    def _create_subscriptions(self) -> None:
        from infra.local.pubsub import create_subscriptions

        create_subscriptions(self._topology, self.endpoints)

    def _create_bucket(self) -> None:
        from infra.local.storage import create_bucket

        create_bucket(self.endpoints)
