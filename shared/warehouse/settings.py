"""Settings that only provisioning needs."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings

from shared.settings import MeshSettings


class WarehouseSettings(BaseSettings):
    """Where the bucket and the dataset are made, and how long history is kept (unset: for ever)."""

    model_config = MeshSettings.model_config

    location: Annotated[str, Field(min_length=1)] = Field("US", validation_alias="BQ_LOCATION")
    # A minute can be replayed for 7 days from the source; history must at least outlive that.
    history_expiry_days: Annotated[int, Field(ge=8)] | None = Field(None, validation_alias="HISTORY_EXPIRY_DAYS")
