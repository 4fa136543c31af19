"""The operators' view of a warehouse on the emulators."""

from shared.operations.mesh import Mesh
from shared.runtime.settings import MeshSettings
from tests.support.warehouse import Warehouse


def mesh_of(warehouse: Warehouse, feeds: tuple[str, ...] | None = None) -> Mesh:
    """Return the mesh as a command sees it, with one feed switched on."""
    at = warehouse.endpoints
    settings = MeshSettings.model_validate(
        {
            "GCP_PROJECT": at.project,
            "LANDING_BUCKET": at.bucket,
            "BQ_DATASET": warehouse.dataset,
            "FEEDS": (warehouse.feed.name,) if feeds is None else feeds,
            "BIGQUERY_EMULATOR_HOST": at.bigquery,
            "STORAGE_EMULATOR_HOST": at.storage,
        }
    )
    return Mesh(settings)
