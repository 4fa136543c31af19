"""The page's settings."""

from pydantic import Field

from shared.runtime.settings import MeshSettings


class PageSettings(MeshSettings):
    """How long a reading is shown to all viewers before the mesh is read again; viewers poll as often."""

    # Each reading is a query of the ledger, for which BigQuery bills at least 10 MiB.
    seconds: int = Field(10, ge=1, le=3600, validation_alias="PAGE_SECONDS")
    # The folder of a local mesh, if commands have to name it.
    state: str = Field("", validation_alias="GTI_MESH_STATE")
