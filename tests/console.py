"""The console's view of a warehouse on the emulators."""

from services.console.mesh import Mesh
from shared.settings import MeshSettings
from tests.warehouse import Warehouse


def mesh_of(warehouse: Warehouse) -> Mesh:
    """Return the mesh that a command would find, with one feed switched on."""
    at = warehouse.endpoints
    settings = MeshSettings.model_validate(
        {
            "GCP_PROJECT": at.project,
            "LANDING_BUCKET": at.bucket,
            "BQ_DATASET": warehouse.dataset,
            "FEEDS": (warehouse.feed.name,),
            "BIGQUERY_EMULATOR_HOST": at.bigquery,
            "STORAGE_EMULATOR_HOST": at.storage,
        }
    )
    return Mesh(settings, at)
