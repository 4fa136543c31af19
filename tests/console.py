"""The console's view of a warehouse on the emulators."""

from services.console.mesh import Mesh
from shared.settings import MeshSettings
from tests.warehouse import Warehouse


def mesh_of(warehouse: Warehouse) -> Mesh:
    """Return the mesh that a command would find, with one feed switched on."""
    at = warehouse.endpoints
    settings = MeshSettings(
        project=at.project,
        bucket=at.bucket,
        dataset=warehouse.dataset,
        feeds=(warehouse.feed.name,),
        bigquery_emulator=at.bigquery,
        storage_emulator=at.storage,
    )
    return Mesh(settings, at)
