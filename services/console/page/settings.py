"""The page's settings."""

from pydantic import Field

from shared.settings import MeshSettings


class PageSettings(MeshSettings):
    """How long what was read of the mesh is shown to everybody before it is read again; viewers ask as often."""

    # Each reading is a query of the ledger, of which BigQuery bills at least 10 MiB.
    seconds: int = Field(10, ge=1, le=3600, validation_alias="PAGE_SECONDS")
