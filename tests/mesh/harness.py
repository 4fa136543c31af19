"""The whole mesh for tests: real processes, real emulators, and functions to inspect the results."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery

from infra.endpoints import Endpoints
from infra.local.mesh import LocalMesh
from infra.local.virustotal.client import SimulatorControl
from shared.contracts.minutes import format_minute, last_due
from shared.feeds.definition import find_feed
from shared.gcp.storage import storage_client
from shared.warehouse.provision import provision
from tests.support.pubsub import publish
from tests.support.waiting import PATIENCE, wait_until


def warehouse(endpoints: Endpoints) -> bigquery.Client:
    """Return a BigQuery client for a local mesh."""
    return bigquery.Client(
        project=endpoints.project,
        credentials=AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": endpoints.bigquery},
    )


def provision_feeds(endpoints: Endpoints, *feeds: str) -> None:
    """Make dataset, tables and views."""
    provision(
        warehouse=warehouse(endpoints),
        storage=storage_client(endpoints.project, endpoints.storage),
        bucket=endpoints.bucket,
        dataset=endpoints.dataset,
        feeds=[find_feed(feed) for feed in feeds],
    )


@dataclass(frozen=True)
class MeshHarness:
    """A running mesh, seen from outside."""

    mesh: LocalMesh

    @property
    def endpoints(self) -> Endpoints:
        """The addresses of the mesh."""
        return self.mesh.endpoints

    @cached_property
    def control(self) -> SimulatorControl:
        """The control of the VirusTotal simulator."""
        return SimulatorControl(str(self.endpoints.virustotal_control))

    @cached_property
    def warehouse(self) -> bigquery.Client:
        """A BigQuery client."""
        return warehouse(self.endpoints)

    def call(self, service: str, path: str = "/", body: object | None = None) -> dict[str, Any]:
        """Call a service as its schedule does."""
        answer = requests.post(self.endpoints.services[service] + path, json=body or {}, timeout=PATIENCE)
        assert answer.status_code == 200, answer.text
        result: dict[str, Any] = answer.json()
        return result

    def publish(self, topic: str, body: object, **attributes: str) -> None:
        """Publish a message."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        publish(self.endpoints, topic, data, **attributes)

    def ask(self, minutes: Iterable[datetime], *, force: bool = False) -> None:
        """Publish requests for minutes of the domain feed."""
        for minute in minutes:
            self.publish("feed-minutes", {"feed": "domains", "minute": format_minute(minute), "force": force})

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Run a query in which {d} stands for the dataset."""
        job = self.warehouse.query(sql.format(d=f"{self.endpoints.project}.{self.endpoints.dataset}"), timeout=PATIENCE)
        return [dict(row.items()) for row in job.result(timeout=PATIENCE)]

    def states(self) -> Mapping[datetime, str]:
        """Return the furthest state of every minute in the ledger."""
        return {row["minute"]: row["state"] for row in self.rows("SELECT minute, state FROM `{d}.minute_status`")}

    def wait_for(self, minutes: Iterable[datetime], *states: str) -> None:
        """Wait until each of these minutes is in one of these states."""
        wanted = list(minutes)

        def reached() -> bool:
            self.mesh.check()
            known = self.states()
            return all(known.get(minute) in states for minute in wanted)

        wait_until(reached, f"{[format_minute(minute) for minute in wanted]} to be {states}")

    def bring_in(self, minutes: Iterable[datetime]) -> None:
        """Request minutes, wait for their new loads, and merge."""
        wanted, since = list(minutes), datetime.now(UTC)
        self.ask(wanted)

        def loaded() -> bool:
            self.mesh.check()
            rows = self.rows(
                "SELECT minute, MAX(`at`) AS latest FROM `{d}.minutes` WHERE event = 'loaded' GROUP BY minute"
            )
            return {row["minute"] for row in rows if row["latest"] >= since} >= set(wanted)

        wait_until(loaded, f"{[format_minute(minute) for minute in wanted]} to be loaded")
        self.call("merger")
        self.wait_for(wanted, "merged")

    def assert_exact(self, minutes: Iterable[datetime]) -> None:
        """Compare history with the source's truth line by line, current with one row per id, and staging with nothing.

        Other minutes may still be in progress: a download that was running when its message was lost still lands.
        """
        wanted = list(minutes)
        for minute in wanted:
            truth = [json.loads(line) for line in self.control.truth("domains", minute).splitlines()]
            at = format_minute(minute)
            sql = f"SELECT feed_line, id, object FROM `{{d}}.domains_history` WHERE feed_minute = TIMESTAMP '{at}'"  # noqa: S608
            kept = sorted(self.rows(sql), key=lambda row: int(row["feed_line"]))
            assert [row["feed_line"] for row in kept] == list(range(1, len(truth) + 1))
            assert [row["id"] for row in kept] == [line["id"] for line in truth]
        [counts] = self.rows(
            "SELECT (SELECT COUNT(*) FROM `{d}.domains`) AS view_rows,"
            " (SELECT COUNT(DISTINCT id) FROM `{d}.domains_history`) AS ids"
        )
        assert counts["view_rows"] == counts["ids"]
        staged = self.rows("SELECT DISTINCT feed_minute FROM `{d}.domains_staging`")
        assert {row["feed_minute"] for row in staged}.isdisjoint(wanted)


def due_minutes(count: int, *, ago: timedelta = timedelta()) -> list[datetime]:
    """Return the newest due minutes, oldest first; `ago` moves them back, so that tests use different minutes."""
    last = last_due(datetime.now(UTC)) - ago
    return [last - timedelta(minutes=back) for back in reversed(range(count))]
