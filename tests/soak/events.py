"""The effect of each kind of event on a running mesh."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import requests
from google.api_core.exceptions import GoogleAPIError

from infra.local.pubsub_server.faults import Rule
from infra.local.virustotal.streams import alerts_api
from infra.local.virustotal.streams.issues_api import SEARCH
from shared.contracts.outcomes import MeshError
from shared.gcp.bigquery import run_query
from tests.soak import resource_faults
from tests.soak.plan import Event

if TYPE_CHECKING:
    from tests.soak.engine import Engine

# Into a merge of a few hundred rows, which takes about half a second.
_INTO_THE_MERGE = 0.3
_PUBSUB_RULES: Mapping[str, Rule] = {
    "duplicate": Rule(kind="duplicate"),
    "delay": Rule(kind="delay", seconds=3.0),
    "reorder": Rule(kind="reorder"),
    "freeze": Rule(kind="freeze"),
    "refuse": Rule(kind="refuse", method="Publish", times=5),
    "drop_answer": Rule(kind="drop_answer", times=5),
}
# Only a search of issues is answered so.
_LISTS_PATHS = {kind: {"path": SEARCH} for kind in ("no_success", "timed_out")}
_A_PAUSE = timedelta(minutes=31)
# A request that is refused more often is halved down to logs that are never accepted.
_SECOPS_TIMES = {"lost_answer": 1, "bad_request": 1, "too_large": 1}


class Events:
    """Executes events one after another."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine
        self._world = engine.soak_mesh
        self._actions: dict[str, Callable[[Event], None]] = {
            "kill": lambda event: engine.kill(event.whom, event.whom, down=event.seconds),
            "point": self._point,
            "storm": self._storm,
            "secops": self._secops,
            "lists": self._lists,
            "alerts": self._lists,
            "pubsub": self._pubsub,
            "planner clock": self._planner_clock,
            "source clock": self._source_clock,
            "lost backlog": self._lost_backlog,
            "killed merge": self._killed_merge,
            "full disk": lambda event: self._for_a_while(event, resource_faults.fill_disk),
            "read-only": self._read_only,
            "paused": lambda event: self._for_a_while(event, resource_faults.pause),
            "restored": self._restored,
            "load jobs": self._load_jobs,
        }

    def do(self, event: Event) -> None:
        """Execute an event; one that cannot happen because its victim is down does not count."""
        try:
            self._actions[event.what](event)
        except (requests.RequestException, GoogleAPIError, MeshError, OSError) as error:
            self._engine.say(f"          did not happen: {type(error).__name__}")

    def _count(self, event: Event) -> None:
        self._engine.faults[f"{event.what}: {event.whom}"] += 1

    def _point(self, event: Event) -> None:
        service, place = event.whom.split(".", 1)
        self._engine.arm(service, place)

    def _storm(self, event: Event) -> None:
        self._world.spoil_source({"kind": event.whom})
        self._engine.during("virustotal", event.seconds, self._calm_source)
        self._count(event)

    def _calm_source(self) -> None:
        if "virustotal" in self._world.mesh.pids:
            self._world.source.move_clock(0.0)
            self._world.spoil_source()

    def _secops(self, event: Event) -> None:
        times = _SECOPS_TIMES.get(event.whom, 3)
        self._world.secops.set_faults({"kind": event.whom, "times": times})
        self._count(event)

    def _load_jobs(self, event: Event) -> None:
        self._world.load_jobs.set_faults({"kind": event.whom, "times": 3})
        self._count(event)

    def _lists(self, event: Event) -> None:
        path = {"path": alerts_api.PATH} if event.what == "alerts" else _LISTS_PATHS.get(event.whom, {})
        self._world.lists.set_faults({"kind": event.whom, "times": 2, **path})
        # A refusal pauses the stream of alerts for half an hour, which is longer than most runs.
        self._engine.during("clock", event.seconds, lambda: self._world.let_polls_wait(_A_PAUSE))
        self._count(event)

    def _pubsub(self, event: Event) -> None:
        control = self._world.pubsub
        if control:
            control.set_faults(_PUBSUB_RULES[event.whom])
            self._engine.during("pubsub", event.seconds, self._calm_pubsub)
            self._count(event)

    def _calm_pubsub(self) -> None:
        if self._world.pubsub and "pubsub" in self._world.mesh.pids:
            self._world.pubsub.set_faults()

    def _planner_clock(self, event: Event) -> None:
        self._engine.moved = 60.0 * float(event.whom)
        self._engine.during("clock", event.seconds, self._right_planner)
        self._count(event)

    def _right_planner(self) -> None:
        self._engine.moved = 0.0

    def _source_clock(self, event: Event) -> None:
        self._world.source.move_clock(60.0 * float(event.whom))
        self._engine.during("virustotal", event.seconds, self._calm_source)
        self._count(event)

    def _lost_backlog(self, event: Event) -> None:
        engine = self._engine
        if event.whom in self._world.mesh.pids:
            engine.kill(event.whom, "pubsub, its backlog gone")
            for file in self._world.state.pubsub.iterdir():
                file.unlink()

    def _killed_merge(self, event: Event) -> None:
        """Kill BigQuery during a merge, before the commit or just after, so that the caller cannot know the result."""
        self._world.call_beside("merger")
        time.sleep(_INTO_THE_MERGE)
        self._engine.kill(event.whom, "bigquery inside a merge")

    def _for_a_while(self, event: Event, begin: Callable[[int], resource_faults.End]) -> None:
        pid = self._world.mesh.pids.get(event.whom)
        if pid is not None:
            self._engine.free(event.whom)
            self._engine.during(event.whom, event.seconds, begin(pid))
            self._count(event)

    def _read_only(self, event: Event) -> None:
        self._engine.free(event.whom)
        end = resource_faults.make_read_only(self._world.state.storage)
        self._engine.during(event.whom, event.seconds, end)
        self._count(event)

    def _restored(self, event: Event) -> None:
        """Restore a table to its state of yesterday, without this run's rows."""
        if "bigquery" not in self._world.mesh.pids:
            return
        console = self._world.mesh_view
        tables = ["minutes"] if event.whom == "ledger" else [f"{feed}_staging" for feed in self._world.feeds]
        for table in tables:
            run_query(console.warehouse, f"DELETE FROM `{console.dataset}.{table}` WHERE TRUE")  # noqa: S608
        self._world.ledger_restored |= event.whom == "ledger"
        self._count(event)
