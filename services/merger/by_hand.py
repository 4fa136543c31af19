"""A fold that an operator requests, whether it is due or not."""

from datetime import timedelta

from services.merger.build import sql_runner
from services.merger.fold import Folder, FoldResult
from shared.contracts.minutes import utc_now
from shared.contracts.outcomes import Misconfigured
from shared.feeds.definition import Feed
from shared.gcp.bigquery import RETRY, SECONDS, bigquery_errors
from shared.operations.health import FOLD_KEEP_HOURS
from shared.operations.mesh import Mesh
from shared.warehouse.provision import how_to_move, move_is_open
from shared.warehouse.tables import base, recent

# The longest that BigQuery lets a job run.
_DEADLINE = timedelta(hours=6)


def question(mesh: Mesh, feed: Feed) -> str:
    """Return what a fold will read; raise Misconfigured for tables of an earlier version."""
    with bigquery_errors():
        if move_is_open(mesh.warehouse, mesh.settings.dataset, feed):
            raise Misconfigured(how_to_move(feed))
        tables = [
            mesh.warehouse.get_table(f"{mesh.dataset}.{table.name}", retry=RETRY, timeout=SECONDS)
            for table in (base(feed), recent(feed))
        ]
    gigabytes = sum(table.num_bytes or 0 for table in tables) / 1e9
    return f"A fold reads {base(feed).name} and {recent(feed).name}, and BigQuery bills them: {gigabytes:,.2f} GB."


def fold_by_hand(mesh: Mesh, feed: Feed, *, everything: bool = False) -> FoldResult:
    """Fold now; `everything` leaves no hour in recent.

    If a merge runs at the same time, one of the two is run again.
    """
    folder = Folder(
        run=sql_runner(mesh.settings, max_bytes_billed=None, client=mesh.warehouse),
        dataset=mesh.dataset,
        now=utc_now,
        min_rows=1,
        keep_hours=FOLD_KEEP_HOURS,
    )
    return folder.fold(feed, end=utc_now() + _DEADLINE, everything=everything)
