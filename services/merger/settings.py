"""The merger's settings."""

from typing import Annotated

from pydantic import Field

from shared.settings import MeshSettings


class MergerSettings(MeshSettings):
    """How long one feed's merge may take (seconds), and how much BigQuery may bill for it (unset: any amount)."""

    deadline_seconds: int = Field(600, ge=1, le=1500, validation_alias="MERGE_DEADLINE_SECONDS")
    # BigQuery bills at least 10 MiB a query, so a smaller limit would refuse every merge.
    max_bytes_billed: Annotated[int, Field(ge=10 * 1024**2)] | None = Field(
        None, validation_alias="MERGE_MAX_BYTES_BILLED"
    )
