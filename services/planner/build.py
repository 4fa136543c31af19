"""Build the planner from its settings, with real clients."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from services.planner.plan import Planner
from services.planner.replay import Replayer
from services.planner.settings import PlannerSettings
from services.planner.sweep import Sweeper
from shared.contracts.interfaces import Bucket, HistoryReader, Ledger, Publisher
from shared.contracts.minutes import utc_now
from shared.gcp.pubsub import PubSubPublisher
from shared.gcp.storage import landing_bucket
from shared.operations.planner_state import PlanStateStore
from shared.runtime.service import Lazy

if TYPE_CHECKING:
    from services.planner.resolved_letters import ResolvedLetters


@dataclass(frozen=True)
class Components:
    """The components that the entry point needs."""

    planner: Planner
    sweeper: Sweeper
    replayer: Replayer
    letters: Callable[[], "ResolvedLetters"]
    now: Callable[[], datetime]


def build(
    settings: PlannerSettings,
    *,
    bucket: Bucket | None = None,
    publisher: Publisher | None = None,
    history: Callable[[], HistoryReader] | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Components:
    """Connect to Google Cloud; arguments replace the real clients."""
    bucket = bucket or landing_bucket(settings)
    publisher = publisher or PubSubPublisher(settings.project, settings.prefix)
    store = PlanStateStore(bucket)
    ledger = Lazy(lambda: _ledger(settings))
    history = history or Lazy(lambda: _history(settings))
    return Components(
        planner=Planner(
            store=store,
            bucket=bucket,
            publisher=publisher,
            ledger=ledger,
            now=now,
            plan_back=settings.plan_back,
            period=settings.period,
        ),
        sweeper=Sweeper(
            store=store,
            bucket=bucket,
            publisher=publisher,
            ledger=ledger,
            history=history,
            now=now,
            period=settings.period,
        ),
        replayer=Replayer(
            feeds=settings.feeds,
            bucket=bucket,
            publisher=publisher,
            history=history,
            now=now,
            period=settings.period,
        ),
        letters=Lazy(lambda: _letters(settings, now)),
        now=now,
    )


def _letters(settings: PlannerSettings, now: Callable[[], datetime]) -> "ResolvedLetters":
    from services.planner.resolved_letters import ResolvedLetters
    from shared.operations.mesh import Mesh

    return ResolvedLetters(Mesh(settings), now)


def _ledger(settings: PlannerSettings) -> Ledger:
    # BigQuery's client costs 40 MiB and half a second; planning does not need it.
    from shared.gcp.bigquery import bigquery_client
    from shared.gcp.ledger import BigQueryLedger

    return BigQueryLedger(bigquery_client(settings), settings.dataset)


def _history(settings: PlannerSettings) -> HistoryReader:
    from shared.gcp.bigquery import bigquery_client
    from shared.gcp.history import BigQueryHistory

    return BigQueryHistory(bigquery_client(settings), settings.dataset)
