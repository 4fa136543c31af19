"""Build the loader from its settings, with real clients."""

from dataclasses import dataclass

from services.loader.attempts import Attempts
from services.loader.dead import DeadLetters
from services.loader.load import Loader
from services.loader.rate_limit import RateLimit
from services.loader.settings import LoaderSettings
from shared.contracts.interfaces import Ledger, Publisher
from shared.contracts.minutes import utc_now
from shared.gcp.bigquery import bigquery_client
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.staging import BigQueryStaging
from shared.gcp.storage import landing_bucket
from shared.warehouse.staging import Staging


@dataclass(frozen=True)
class Components:
    """The components that the entry points need."""

    loader: Loader
    dead_letters: DeadLetters
    publisher: Publisher


def build(settings: LoaderSettings, *, ledger: Ledger | None = None, staging: Staging | None = None) -> Components:
    """Connect to Google Cloud; arguments replace the real clients."""
    client = bigquery_client(settings)
    ledger = ledger or BigQueryLedger(client, settings.dataset)
    staging = staging or BigQueryStaging(client, settings.dataset)
    bucket = landing_bucket(settings)
    attempts = Attempts(
        staging=staging,
        bucket=bucket,
        now=utc_now,
        deadline=settings.deadline,
        pace=RateLimit(settings.jobs_per_second, now=utc_now),
    )
    loader = Loader(
        bucket=bucket,
        attempts=attempts,
        staging=staging,
        ledger=ledger,
        feeds=settings.feed_definitions(),
        now=utc_now,
    )
    return Components(
        loader, DeadLetters(ledger=ledger, now=utc_now), PubSubPublisher(settings.project, settings.prefix)
    )
