"""Build the loader from its settings and the real edges."""

from dataclasses import dataclass
from datetime import UTC, datetime

from services.loader.attempts import Attempts
from services.loader.dead import DeadLetters
from services.loader.load import Loader
from services.loader.settings import LoaderSettings
from shared.gcp.bigquery import bigquery_client
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.staging import BigQueryStaging
from shared.gcp.storage import StorageBucket, storage_client
from shared.ports import Publisher


@dataclass(frozen=True)
class Parts:
    """What the entry points need."""

    loader: Loader
    dead_letters: DeadLetters
    publisher: Publisher


def build(settings: LoaderSettings) -> Parts:
    """Connect to Google Cloud."""
    client = bigquery_client(settings)
    ledger = BigQueryLedger(client, settings.dataset)
    bucket = StorageBucket(settings.bucket, storage_client(settings.project, settings.storage_emulator))
    attempts = Attempts(
        staging=BigQueryStaging(client, settings.dataset), bucket=bucket, now=_now, deadline=settings.deadline
    )
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
