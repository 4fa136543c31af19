"""The mesh that a command or the status page reads: its settings and Google clients."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from google.cloud import bigquery
from google.cloud.storage.client import Client

from shared.contracts.interfaces import Bucket
from shared.gcp.bigquery import bigquery_client
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.storage import StorageBucket, storage_client
from shared.operations.accepted_replays import AcceptedReplays, OpenReplays
from shared.operations.feed_conditions import FeedCondition, FeedConditions
from shared.operations.planner_state import PlanState, PlanStateStore
from shared.runtime.settings import MeshSettings

if TYPE_CHECKING:
    from shared.gcp.pubsub import PubSubPublisher


@dataclass(frozen=True)
class Mesh:
    """Access to a mesh; clients are built at first use."""

    settings: MeshSettings
    # The state folder that commands have to name to find this mesh, or empty.
    state: str = ""

    @cached_property
    def bucket(self) -> Bucket:
        """The landing bucket."""
        return StorageBucket(self.settings.bucket, self.storage)

    @cached_property
    def storage(self) -> Client:
        """The Cloud Storage client."""
        return storage_client(self.settings.project, self.settings.storage_emulator)

    @cached_property
    def publisher(self) -> "PubSubPublisher":
        """A publisher to the mesh's topics."""
        from shared.gcp.pubsub import PubSubPublisher

        return PubSubPublisher(self.settings.project, self.settings.prefix)

    def close(self) -> None:
        """Close the connection to Pub/Sub, if any: gRPC logs to the terminal if the server closes first."""
        if "publisher" in self.__dict__:
            self.publisher.close()

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

    def plan(self, feed: str) -> PlanState | None:
        """Return the planner's state of a feed, or None if it never ran."""
        return self.plans.read(feed)[0]

    @property
    def plans(self) -> PlanStateStore:
        """The planner's states."""
        return PlanStateStore(self.bucket)

    def replays(self, feed: str) -> OpenReplays:
        """Return a feed's accepted replays that are not finished."""
        return AcceptedReplays(self.bucket).read(feed)

    def condition(self, feed: str) -> FeedCondition | None:
        """Return a feed's condition, or None."""
        return FeedConditions(self.bucket).read(feed)
