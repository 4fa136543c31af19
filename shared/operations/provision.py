"""`gti-mesh provision`: bucket, dataset, tables and views."""

from shared.feeds.definition import Feed
from shared.gcp.bigquery import bigquery_errors
from shared.operations.mesh import Mesh
from shared.runtime.settings import read_settings
from shared.warehouse.fill import fill_from_history
from shared.warehouse.move_current import CurrentMove
from shared.warehouse.provision import how_to_move, move_is_open, provision
from shared.warehouse.settings import WarehouseSettings


def provision_mesh(mesh: Mesh, *, fill: bool = False) -> list[str]:
    """Create missing resources, drop nothing, optionally fill headline columns from history; return the changes."""
    warehouse = read_settings(WarehouseSettings)
    done = provision(
        warehouse=mesh.warehouse,
        storage=mesh.storage,
        bucket=mesh.settings.bucket,
        dataset=mesh.settings.dataset,
        feeds=mesh.settings.feed_definitions(),
        location=warehouse.location,
        history_expiry_days=warehouse.history_expiry_days,
    )
    if fill:
        done += fill_from_history(mesh.warehouse, mesh.settings.dataset, mesh.settings.feed_definitions())
    return done


def current_move(mesh: Mesh, feed: Feed) -> CurrentMove:
    """Return the move of an earlier version's table `<feed>_current` into base."""
    expiry_days = read_settings(WarehouseSettings).history_expiry_days
    return CurrentMove(mesh.warehouse, mesh.settings.dataset, feed, expiry_days)


def open_moves(mesh: Mesh) -> list[str]:
    """Return what an operator has to do before the feeds of an earlier version are merged again, a line per feed."""
    with bigquery_errors():
        return [
            how_to_move(feed)
            for feed in mesh.settings.feed_definitions()
            if move_is_open(mesh.warehouse, mesh.settings.dataset, feed)
        ]
