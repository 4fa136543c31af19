"""The loader with fault points, both of its targets; functions-framework loads this file."""

from services.loader import main
from services.loader.build import Components, build
from shared.gcp.bigquery import bigquery_client
from shared.gcp.ledger import BigQueryLedger
from shared.gcp.staging import BigQueryStaging
from shared.runtime.service import Lazy
from tests.soak.points import here
from tests.soak.wrappers import MortalLedger, MortalStaging


def _build() -> Components:
    settings, points = main.settings, here()
    client = bigquery_client(settings)
    return build(
        settings,
        ledger=MortalLedger(BigQueryLedger(client, settings.dataset), points),
        staging=MortalStaging(BigQueryStaging(client, settings.dataset), points),
    )


main.components = Lazy(_build)
load = main.load
dead = main.dead
