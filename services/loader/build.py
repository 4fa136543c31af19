"""Build the loader from its settings and the real edges."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.loader.attempts import Attempts
from services.loader.dead import DeadLetters
from services.loader.load import Ledger, Loader
from services.loader.settings import LoaderSettings
from shared.gcp.bigquery import bigquery_client
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.staging import BigQueryStaging
from shared.gcp.storage import StorageBucket, storage_client
from shared.ports import Publisher
from shared.warehouse.staging import Staging


@dataclass(frozen=True)
class Parts:
    """What the entry points need."""

    loader: Loader
    dead_letters: DeadLetters
    publisher: Publisher


def build(settings: LoaderSettings, *, ledger: Ledger | None = None, staging: Staging | None = None) -> Parts:
    """Connect to Google Cloud; an edge that is given takes the place of the real one."""
    client = bigquery_client(settings)
    ledger = ledger or BigQueryLedger(client, settings.dataset)
    staging = staging or BigQueryStaging(client, settings.dataset)
    bucket = StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator))
    attempts = Attempts(staging=staging, bucket=bucket, now=_now, deadline=settings.deadline)
    loader = Loader(
        bucket=bucket,
        attempts=attempts,
        ledger=ledger,
        feeds=settings.feed_definitions(),
        now=_now,
    )
    return Parts(loader, DeadLetters(ledger=ledger, now=_now), PubSubPublisher(settings.project))


def _now() -> datetime:
    return datetime.now(UTC)
