"""`gti-mesh provision`: bucket, dataset, tables and views."""

from services.console.mesh import Mesh
from shared.settings import read_settings
from shared.warehouse.fill import fill_from_history
from shared.warehouse.provision import provision
from shared.warehouse.settings import WarehouseSettings


def provision_mesh(mesh: Mesh, *, fill: bool = False) -> list[str]:
    """Make what is missing, drop nothing, on request fill headline columns from history; return what was done."""
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
