"""Which mesh a command works on: the one that runs on a state folder, or the one in the cloud."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from google.cloud import bigquery
from google.cloud.storage.client import Client
from pydantic import BaseModel, ConfigDict, ValidationError

from infra.local.endpoints import Endpoints, read_endpoints
from shared.gcp.bigquery import bigquery_client
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.storage import StorageBucket, storage_client
from shared.minutes import Minute, last_due
from shared.outcomes import Misconfigured
from shared.ports import Bucket, Publisher
from shared.problems import problems
from shared.settings import MeshSettings, read_settings

DEFAULT_STATE = Path(".gti-mesh/up")


class Plan(BaseModel):
    """What the console reads of the planner's state object."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    first: Minute
    watermark: Minute

    def reached(self, now: datetime) -> datetime:
        """Return up to which due minute was asked; a clock that ran ahead has left a watermark in the future."""
        return min(self.watermark, last_due(now))


@dataclass(frozen=True)
class Mesh:
    """A mesh to look at and to ask; clients are built when first used."""

    settings: MeshSettings
    endpoints: Endpoints | None

    @cached_property
    def bucket(self) -> Bucket:
        """The landing bucket."""
        return StorageBucket(self.settings.bucket, self.storage)

    @cached_property
    def storage(self) -> Client:
        """The Cloud Storage client."""
        return storage_client(self.settings.project, self.settings.storage_emulator)

    @cached_property
    def publisher(self) -> Publisher:
        """A publisher to the mesh's topics."""
        from shared.gcp.pubsub import PubSubPublisher

        return PubSubPublisher(self.settings.project)

    @cached_property
    def warehouse(self) -> bigquery.Client:
        """The BigQuery client."""
        return bigquery_client(self.settings)

    @cached_property
    def ledger(self) -> BigQueryLedger:
        """The ledger."""
        return BigQueryLedger(self.warehouse, self.settings.dataset)

    @property
    def dataset(self) -> str:
        """The dataset with its project, as SQL names it."""
        return f"{self.settings.project}.{self.settings.dataset}"

    def plan(self, feed: str) -> Plan | None:
        """Return how far the planner got with a feed, or None when it never ran."""
        name = f"state/planner/{feed}.json"
        stored = self.bucket.read(name)
        try:
            return Plan.model_validate_json(stored.data) if stored else None
        except ValidationError as error:
            raise Misconfigured(
                f"{self.bucket.uri(name)} cannot be read ({problems(error)}); "
                "delete it and the planner goes on from the ledger"
            ) from None


def find_mesh(state: Path | None) -> Mesh:
    """Return the local mesh that runs on `state` (by default on the folder that `up` uses), else the cloud's.

    Raises Misconfigured when a folder was named and no mesh runs there: a wrong folder must not lead to the cloud.
    """
    endpoints = read_endpoints(state or DEFAULT_STATE)
    if endpoints:
        return local_mesh(endpoints)
    if state:
        raise Misconfigured(f"no mesh runs on {state}; start one with `gti-mesh up --state {state}`")
    try:
        return Mesh(read_settings(MeshSettings), None)
    except Misconfigured as error:
        raise Misconfigured(
            f"{error}; put them right for the mesh in the cloud, or start a local one with `gti-mesh up`"
            f" (none runs on {DEFAULT_STATE}; --state names another folder)"
        ) from None


def local_mesh(endpoints: Endpoints, feeds: str | None = None) -> Mesh:
    """Return a mesh that runs on this machine."""
    point_at(endpoints.environment())
    if feeds is not None:
        point_at({"FEEDS": feeds})
    return Mesh(read_settings(MeshSettings), endpoints)


def point_at(environment: Mapping[str, str]) -> None:
    """Let the clients of this process find the emulators: Google's libraries read their addresses from here alone."""
    os.environ.update(environment)


def find_local_mesh(state: Path | None) -> Endpoints:
    """Return the endpoints of a running local mesh; raise Misconfigured when there is none."""
    folder = state or DEFAULT_STATE
    endpoints = read_endpoints(folder)
    if endpoints is None:
        raise Misconfigured(f"no mesh runs on {folder}; start one with `gti-mesh up --state {folder}`")
    return endpoints
