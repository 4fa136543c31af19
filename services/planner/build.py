"""Build the planner from its settings and the real edges."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from services.planner.plan import Planner
from services.planner.replay import Replayer
from services.planner.settings import PlannerSettings
from services.planner.state import StateStore
from services.planner.sweep import Sweeper
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.storage import StorageBucket, storage_client
from shared.ports import Bucket, LedgerReader, Publisher
from shared.service import Once


@dataclass(frozen=True)
class Parts:
    """What the entry point needs."""

    planner: Planner
    sweeper: Sweeper
    replayer: Replayer


def _now() -> datetime:
    return datetime.now(UTC)


def build(
    settings: PlannerSettings,
    *,
    bucket: Bucket | None = None,
    publisher: Publisher | None = None,
    now: Callable[[], datetime] = _now,
) -> Parts:
    """Connect to Google Cloud; an edge that is given takes the place of the real one."""
    bucket = bucket or StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator))
    publisher = publisher or PubSubPublisher(settings.project)
    store = StateStore(bucket)
    ledger = Once(lambda: _ledger(settings))
    return Parts(
        planner=Planner(store=store, publisher=publisher, ledger=ledger, now=now, plan_back=settings.plan_back),
        sweeper=Sweeper(store=store, bucket=bucket, publisher=publisher, ledger=ledger, now=now),
        replayer=Replayer(feeds=settings.feeds, bucket=bucket, publisher=publisher, now=now),
    )


def _ledger(settings: PlannerSettings) -> LedgerReader:
    # BigQuery's client costs 40 MiB and half a second; a plain tick needs neither.
    from shared.gcp.bigquery import bigquery_client
    from shared.gcp.ledger import BigQueryLedger

    return BigQueryLedger(bigquery_client(settings), settings.dataset)
